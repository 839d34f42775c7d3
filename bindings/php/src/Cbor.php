<?php
// CBOR (RFC 8949) to PHP values, with the meanings of docs/spec/mapping.md.
//
// What must stay true: the input may be anything. No length is believed before it is compared with what is left,
// nothing is reserved by a declared count, and at most DEPTH containers and tags lie inside each other, so time and
// memory are bounded by the input. Bytes behind the value are refused.

declare(strict_types=1);

namespace Weir;

/** Used by Message; not for programs. */
final class Cbor
{
    private const DEPTH = 64;
    /** What nanoseconds in 64 bits reach, as seconds and nanoseconds. */
    private const TIME_FIRST = [-9_223_372_037, 145_224_192];
    private const TIME_LAST = [9_223_372_036, 854_775_807];
    private int $at = 0;

    private function __construct(private readonly string $bytes, private bool $hasObjects)
    {
    }

    /** @param bool $hasObjects maps become objects, so that JSON made of them keeps {} apart from [] */
    public static function decode(string $bytes, bool $hasObjects = false): mixed
    {
        $decoder = new self($bytes, $hasObjects);
        if (str_starts_with($bytes, "\xd9\xd9\xf7")) { // tag 55799: "this is CBOR"
            $decoder->at = 3;
        }
        $value = $decoder->item(0);
        if ($decoder->at !== strlen($bytes)) {
            $decoder->refuse('bytes follow the value');
        }
        return $value;
    }

    private function refuse(string $what): never
    {
        throw new ParseException("this is no CBOR at byte {$this->at}: $what", $this->at);
    }

    private function take(int $size): string
    {
        if ($size < 0 || $size > strlen($this->bytes) - $this->at) {
            $this->refuse('it is cut off');
        }
        $taken = substr($this->bytes, $this->at, $size);
        $this->at += $size;
        return $taken;
    }

    /** Major type and additional information of the next item, without moving. */
    private function peek(): array
    {
        if ($this->at >= strlen($this->bytes)) {
            $this->refuse('it is cut off');
        }
        $byte = ord($this->bytes[$this->at]);
        return [$byte >> 5, $byte & 31];
    }

    /** The argument of a head whose first byte was taken; beyond int it is negative, as unpack() gives it. */
    private function argument(int $info): int
    {
        return match (true) {
            $info < 24 => $info,
            $info === 24 => ord($this->take(1)),
            $info === 25 => unpack('n', $this->take(2))[1],
            $info === 26 => unpack('N', $this->take(4))[1],
            $info === 27 => unpack('J', $this->take(8))[1],
            default => $this->refuse('additional information that means nothing'),
        };
    }

    private function item(int $depth): mixed
    {
        [$major, $info] = $this->peek();
        $this->at++;
        if ($major >= 4 && $major <= 6 && $depth >= self::DEPTH) {
            throw new LimitException('more than ' . self::DEPTH . ' arrays, maps and tags lie inside each other');
        }
        return match ($major) {
            0 => $this->unsigned($this->argument($info)),
            1 => $this->negative($this->argument($info)),
            2 => new Bytes($this->string(2, $info)),
            3 => $this->string(3, $info),
            4 => $this->list($info, $depth + 1),
            5 => $this->map($info, $depth + 1),
            6 => $this->tag($this->argument($info), $depth + 1),
            7 => $this->simple($info),
        };
    }

    private function unsigned(int $number): int|BigInt
    {
        return $number >= 0 ? $number : new BigInt(sprintf('%u', $number));
    }

    private function negative(int $number): int|BigInt
    {
        return $number >= 0 ? -1 - $number : BigInt::fromBytes(pack('J', $number), true);
    }

    private function string(int $major, int $info): string
    {
        if ($info !== 31) {
            return $this->checked($major, $this->take($this->argument($info)));
        }
        $parts = [];
        while (!$this->isBreak()) {
            [$partMajor, $partInfo] = $this->peek();
            if ($partMajor !== $major || $partInfo === 31) {
                $this->refuse('a chunk of another kind');
            }
            $this->at++;
            $parts[] = $this->checked($major, $this->take($this->argument($partInfo)));
        }
        return implode('', $parts);
    }

    private function checked(int $major, string $string): string
    {
        if ($major === 3 && preg_match('//u', $string) !== 1) {
            $this->refuse('the text is no UTF-8');
        }
        return $string;
    }

    /** Is the next byte the break of an indefinite length? Then it is taken. */
    private function isBreak(): bool
    {
        if ($this->peek() !== [7, 31]) {
            return false;
        }
        $this->at++;
        return true;
    }

    /** Count of items that follow; null: until a break. */
    private function count(int $info): ?int
    {
        $count = $info === 31 ? null : $this->argument($info);
        if ($count !== null && ($count < 0 || $count > strlen($this->bytes) - $this->at)) {
            $this->refuse('it is cut off');
        }
        return $count;
    }

    private function list(int $info, int $depth): array
    {
        $count = $this->count($info);
        $items = [];
        while ($count === null ? !$this->isBreak() : $count-- > 0) {
            $items[] = $this->item($depth);
        }
        return $items;
    }

    private function map(int $info, int $depth): array|object
    {
        $count = $this->count($info);
        $map = [];
        while ($count === null ? !$this->isBreak() : $count-- > 0) {
            $key = $this->key($depth);
            $value = $this->item($depth);
            if (!array_key_exists($key, $map)) { // the first of repeated keys counts
                $map[$key] = $value;
            }
        }
        return $this->hasObjects ? (object) $map : $map;
    }

    /** A key: text and bytes as they are, anything else as its JSON. */
    private function key(int $depth): string
    {
        $hadObjects = $this->hasObjects;
        $this->hasObjects = true;
        $key = $this->item($depth);
        $this->hasObjects = $hadObjects;
        return is_string($key) || $key instanceof Bytes ? (string) $key : Message::jsonOf($key);
    }

    private function simple(int $info): mixed
    {
        switch ($info) {
            case 20:
            case 21:
                return $info === 21;
            case 22:
            case 23: // undefined
                return null;
            case 24:
                $number = ord($this->take(1));
                return $number >= 32
                    ? new Tagged(TAG_SIMPLE, $number, null)
                    : $this->refuse('a simple value in two bytes');
            case 25:
                return self::half(unpack('n', $this->take(2))[1]);
            case 26:
                return unpack('G', $this->take(4))[1];
            case 27:
                return unpack('E', $this->take(8))[1];
            default:
                return $info < 20 ? new Tagged(TAG_SIMPLE, $info, null) : $this->refuse('a break where none may be');
        }
    }

    private static function half(int $bits): float
    {
        $sign = $bits & 0x8000 ? -1.0 : 1.0;
        $exponent = $bits >> 10 & 31;
        $fraction = $bits & 1023;
        return $sign * match ($exponent) {
            0 => $fraction * 2.0 ** -24,
            31 => $fraction === 0 ? INF : NAN,
            default => (1024 + $fraction) * 2.0 ** ($exponent - 25),
        };
    }

    // ---- tags ----

    private function tag(int $number, int $depth): mixed
    {
        [$major] = $this->peek();
        $isTypedArray = $major === 4 && ($number === 40 || $number === 1040);
        $value = $this->item($depth);
        $meant = match (true) {
            ($number === 2 || $number === 3) && $major === 2 => BigInt::fromBytes($value->bytes, $number === 3),
            $number === 4 && $major === 4 => self::decimal($value),
            $number === 0 && $major === 3 => self::timeOfText($value),
            $number === 1 && (is_int($value) || is_float($value)) => self::timeOfSeconds($value),
            $number === 1001 && $major === 5 => self::timeOfMap((array) $value),
            $number >= 64 && $number <= 87 && $major === 2 => self::typedArray($number, $value->bytes),
            $isTypedArray => self::shaped($value, $number === 1040),
            default => null,
        };
        if ($meant !== null) {
            return $meant;
        }
        $bson = $number - 0x7765697200000000;
        return $bson >= 0 && $bson <= 0x5ff
            ? new Tagged(TAG_BSON, $bson, $value)
            : new Tagged(TAG_CBOR, $number, $value);
    }

    private static function decimal(array $pair): ?Decimal
    {
        $isDecimal = count($pair) === 2 && is_int($pair[0])
            && $pair[0] >= -2 ** 31 && $pair[0] < 2 ** 31
            && (is_int($pair[1]) || $pair[1] instanceof BigInt);
        return $isDecimal ? new Decimal((string) $pair[1], $pair[0]) : null;
    }

    private static function time(int $seconds, int $ns): ?\DateTimeImmutable
    {
        $is = [$seconds, $ns]; // compared one after the other
        if ($is < self::TIME_FIRST || $is > self::TIME_LAST || $ns < 0 || $ns >= 1_000_000_000) {
            return null;
        }
        $time = \DateTimeImmutable::createFromFormat('U', (string) $seconds);
        return $time->modify(sprintf('+%d microseconds', intdiv($ns, 1000)))->setTimezone(new \DateTimeZone('+00:00'));
    }

    private static function timeOfText(string $text): ?\DateTimeImmutable
    {
        $form = '/^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/D';
        if (!preg_match($form, $text, $part) || !checkdate((int) $part[2], (int) $part[3], (int) $part[1])
            || $part[4] > 23 || $part[5] > 59 || $part[6] > 59) {
            return null;
        }
        [, $year, $month, $day, $hour, $minute, $second] = array_map('intval', $part);
        $ns = (int) str_pad($part[7] ?? '', 9, '0');
        return self::time(gmmktime($hour, $minute, $second, $month, $day, $year), $ns);
    }

    private static function timeOfSeconds(int|float $seconds): ?\DateTimeImmutable
    {
        if (is_int($seconds)) {
            return self::time($seconds, 0);
        }
        if (!(abs($seconds) < self::TIME_LAST[0])) {
            return null;
        }
        $whole = (int) floor($seconds);
        $ns = (int) round(($seconds - $whole) * 1e9);
        return $ns < 1_000_000_000 ? self::time($whole, $ns) : self::time($whole + 1, 0);
    }

    private static function timeOfMap(array $map): ?\DateTimeImmutable
    {
        $rest = array_diff_key($map, [1 => 0]);
        $unit = array_key_first($rest);
        if (!is_int($map[1] ?? null) || count($rest) > 1) {
            return null;
        }
        return match (true) {
            $unit === null => self::time($map[1], 0),
            $unit === -9 && is_int($rest[-9]) => self::time($map[1], $rest[-9]),
            $unit === -3 && is_int($rest[-3]) && $rest[-3] < 1000 => self::time($map[1], $rest[-3] * 1_000_000),
            default => null,
        };
    }

    /** RFC 8746: the tag is 010 f s e ll. */
    private static function typedArray(int $number, string $bytes): ?NdArray
    {
        $isFloat = $number & 16;
        $log = $number & 3;
        $isLittle = $number & 4 || (!$isFloat && $log === 0);
        if ($isFloat ? $log === 0 || $log === 3 || $number & 8 : in_array($number, [68, 76], true)) {
            return null;
        }
        $width = $isFloat ? 2 << $log : 1 << $log;
        if (strlen($bytes) % $width !== 0) {
            return null;
        }
        if (!$isLittle && $bytes !== '') {
            $bytes = implode('', array_map('strrev', str_split($bytes, $width)));
        }
        $letter = $isFloat ? 'f' : ($number & 8 ? 'i' : 'u');
        return new NdArray($letter . 8 * $width, [intdiv(strlen($bytes), $width)], $bytes);
    }

    /** [dimensions, typed array] */
    private static function shaped(array $pair, bool $isColumn): ?NdArray
    {
        if (count($pair) !== 2 || !is_array($pair[0]) || !array_is_list($pair[0]) || !$pair[1] instanceof NdArray
            || count($pair[0]) > RANK_MAX) {
            return null;
        }
        try {
            return new NdArray($pair[1]->dtype, $pair[0], $pair[1]->bytes, $isColumn ? 'column' : 'row');
        } catch (InvalidException) {
            return null;
        }
    }
}
