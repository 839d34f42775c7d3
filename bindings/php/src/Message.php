<?php
// One message: the frame of docs/spec/frame.md, taken apart. Data and meta are decoded at the first look.
//
// What must stay true: every length is compared with what is left of the frame before it is used.

declare(strict_types=1);

namespace Weir;

/**
 * @property-read string $op what this is or asks for; '' when the writer gave none
 * @property-read int $seq the writer's count of its messages, from 1
 * @property-read ?float $time when it was sent, in seconds since the epoch; null when the writer did not say
 * @property-read int $timeNs
 * @property-read ?float $age seconds since then
 * @property-read ?array $meta
 * @property-read mixed $data
 * @property-read int $gap always 0: who takes the latest value misses nothing
 * @property-read int $id
 * @property-read int $writer
 * @property-read string $codec 'cbor', 'json', 'raw', ...; '' without data
 * @property-read string $type of raw data, as 'f64[4,256]'
 * @property-read string $bytes the data as it was encoded
 */
final class Message implements \JsonSerializable
{
    private const HEADER = 16;
    private const CODECS = ['', 'json', 'cbor', 'smile', 'bson', 'raw'];
    private const FIELDS = ['op', 'seq', 'time', 'age', 'meta', 'data', 'gap', 'id', 'writer', 'codec', 'type', 'bytes',
        'timeNs'];
    private string $op;
    private int $seq;
    private int $timeNs = 0;
    private int $id = 0;
    private int $codec;
    private bool $hasMeta = false;
    private string $type;
    private string $metaBytes;
    private string $bytes;
    private array $decoded = [];
    /** Stands before the digits of numbers that json_encode() cannot write, while jsonOf() is at work. */
    private static string $mark = '';

    /** From a frame; Weir\get makes them.
     * @internal */
    public function __construct(string $frame, private readonly int $writer)
    {
        $size = strlen($frame);
        $head = unpack('Vsize/Ckind/Ccodec/Cop/Cflags/Pseq', $frame);
        if ($head['kind'] >> 4 !== 1) {
            throw new VersionException('the message has version ' . ($head['kind'] >> 4) . ', this reader knows 1');
        }
        if ($head['size'] !== $size || ($head['kind'] & 15) < 1 || ($head['kind'] & 15) > 5 || $head['flags'] & 128) {
            throw new CorruptException('the newest message is damaged');
        }
        $at = self::HEADER;
        $flags = $head['flags'];
        $word = function (string $letter, int $width) use ($frame, $size, &$at): int {
            if ($width > $size - $at) {
                throw new CorruptException('the newest message is damaged: its header does not fit');
            }
            $at += $width;
            return unpack($letter, $frame, $at - $width)[1];
        };
        $this->timeNs = $flags & 1 ? $word('q', 8) : 0;
        $this->id = $flags & 2 ? $word('P', 8) : 0;
        $flags & 4 ? $word('P', 8) : 0;
        $metaSize = $flags & 8 ? $word('V', 4) : 0;
        $typeSize = $flags & 16 ? $word('v', 2) : 0;
        $part = function (int $length) use ($frame, $size, &$at): string {
            if ($length > $size - $at) {
                throw new CorruptException('the newest message is damaged: its parts do not fit');
            }
            $at += $length;
            return substr($frame, $at - $length, $length);
        };
        $end = $flags & 64 ? 4 : 0; // a checksum, which was not asked for and is not needed in memory
        $this->op = $part($head['op']);
        $this->type = $part($typeSize);
        $this->metaBytes = $part($metaSize);
        $this->hasMeta = ($flags & 8) !== 0;
        if ($flags & 32) {
            $part((64 - $at % 64) % 64);
        }
        $this->codec = $head['codec'];
        if ($this->codec === 5 && !($flags & 32)) {
            throw new CorruptException('the newest message is damaged: raw data is not aligned');
        }
        $this->bytes = $part($size - $at - $end);
        $this->seq = $head['seq'];
    }

    public function __get(string $name): mixed
    {
        return match ($name) {
            'op' => $this->op,
            'seq' => $this->seq,
            'time' => $this->timeNs === 0 ? null : $this->timeNs / 1e9,
            'timeNs' => $this->timeNs,
            'age' => $this->age(),
            'meta' => $this->decoded['meta'] ??= $this->meta(false),
            'data' => $this->decoded['data'] ??= $this->data(false),
            'gap' => 0,
            'id' => $this->id,
            'writer' => $this->writer,
            'codec' => self::CODECS[$this->codec] ?? (string) $this->codec,
            'type' => $this->type,
            'bytes' => $this->bytes,
            default => throw new \Error("Weir\\Message has no property \$$name"),
        };
    }

    public function __isset(string $name): bool
    {
        return in_array($name, self::FIELDS, true) && $this->__get($name) !== null;
    }

    public function __set(string $name, mixed $value): void
    {
        throw new \Error("Cannot modify readonly property Weir\\Message::\$$name");
    }

    /** The message as one JSON object, {"v":1,"seq":…,"time":…,"op":…,"meta":…,"data":…}. */
    public function json(): string
    {
        return self::jsonOf([
            'v' => 1,
            'seq' => $this->seq,
            'time' => $this->timeNs ?: null,
            'op' => $this->op === '' ? null : $this->op,
            'meta' => $this->meta(true),
            'data' => $this->data(true),
        ]);
    }

    /** A value as JSON, in the plain form of docs/spec/mapping.md.
     * @internal */
    public static function jsonOf(mixed $value): string
    {
        self::$mark = bin2hex(random_bytes(8));
        $flags = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE
            | JSON_INVALID_UTF8_SUBSTITUTE;
        $json = json_encode(self::plain($value), $flags);
        return preg_replace('/"' . self::$mark . '([^"]*)"/', '$1', $json);
    }

    /** @throws TypeException when the data is no array of numbers */
    public function array(): NdArray
    {
        $data = $this->__get('data');
        if (!$data instanceof NdArray) {
            throw new TypeException('the message holds ' . get_debug_type($data) . ', no array of numbers');
        }
        return $data;
    }

    public function jsonSerialize(): array
    {
        return ['seq' => $this->seq, 'time' => $this->__get('time'), 'gap' => 0, 'op' => $this->op,
            'meta' => $this->__get('meta'), 'data' => $this->__get('data')];
    }

    /** What JSON can say of a value. */
    private static function plain(mixed $value): mixed
    {
        return match (true) {
            is_array($value) => array_map(self::plain(...), $value),
            $value instanceof \stdClass => (object) array_map(self::plain(...), (array) $value),
            is_float($value) && !is_finite($value) => null,
            $value instanceof \DateTimeInterface => self::timeText($value),
            $value instanceof Tagged => self::plain($value->value),
            $value instanceof BigInt, $value instanceof Decimal => self::$mark . $value,
            $value instanceof NdArray => self::plain($value->shape ? $value->toArray() : $value->at()),
            default => $value,
        };
    }

    private static function timeText(\DateTimeInterface $time): string
    {
        return rtrim(rtrim($time->format('Y-m-d\TH:i:s.u'), '0'), '.') . 'Z';
    }

    private function age(): ?float
    {
        if ($this->timeNs === 0) {
            return null;
        }
        // The sum as integers: a float of seconds since 1970 would lose the microseconds.
        [$fraction, $seconds] = explode(' ', microtime());
        return ((int) $seconds * 1_000_000_000 + (int) ((float) $fraction * 1e9) - $this->timeNs) / 1e9;
    }

    private function meta(bool $hasObjects): array|object|null
    {
        if (!$this->hasMeta) {
            return null;
        }
        if ($this->metaBytes === '' || ord($this->metaBytes[0]) >> 5 !== 5) {
            throw new ParseException('the metadata is no map');
        }
        return Cbor::decode($this->metaBytes, $hasObjects);
    }

    private function data(bool $hasObjects): mixed
    {
        switch ($this->codec) {
            case 0:
                return null;
            case 1:
                return $this->jsonData($hasObjects);
            case 2:
                return Cbor::decode($this->bytes, $hasObjects);
            case 5:
                return NdArray::ofType($this->type, $this->bytes) ?? $this->notNumbers();
            default:
                throw new UnsupportedException('data of codec ' . $this->__get('codec')
                    . ' needs the extension weir; ->bytes has it as it came');
        }
    }

    private function jsonData(bool $hasObjects): mixed
    {
        try {
            return json_decode($this->bytes, !$hasObjects, 65, JSON_THROW_ON_ERROR);
        } catch (\JsonException $e) {
            throw new ParseException('the data is no JSON: ' . $e->getMessage());
        }
    }

    private function notNumbers(): never
    {
        if (str_starts_with($this->type, '{')) {
            throw new UnsupportedException("raw structs need the extension weir; ->bytes has them as {$this->type}");
        }
        throw new ParseException('the data has ' . strlen($this->bytes) . " bytes, which is not {$this->type}");
    }
}
