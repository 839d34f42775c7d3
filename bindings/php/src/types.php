<?php
// Values that PHP has no kind of its own for, as the extension has them. They are values: made once, never changed.

declare(strict_types=1);

namespace Weir;

/** A string that is not text. */
final class Bytes implements \Stringable, \JsonSerializable
{
    public function __construct(public readonly string $bytes)
    {
    }

    public function __toString(): string
    {
        return $this->bytes;
    }

    /** Base64. */
    public function jsonSerialize(): mixed
    {
        return base64_encode($this->bytes);
    }
}

/** An integer of any size. */
final class BigInt implements \Stringable, \JsonSerializable
{
    public function __construct(public readonly string $digits)
    {
        if (!preg_match('/^-?[0-9]+$/D', $digits)) {
            throw new InvalidException("\"$digits\" is no integer");
        }
    }

    public function __toString(): string
    {
        return $this->digits;
    }

    public function jsonSerialize(): mixed
    {
        return $this->digits;
    }

    /** The integer whose magnitude stands in $bytes, most significant first; an int where it fits. */
    public static function fromBytes(string $bytes, bool $isNegative): int|BigInt
    {
        $bytes = ltrim($bytes, "\0");
        if (strlen($bytes) > self::BYTES_MAX) {
            throw new LimitException('an integer of more than ' . self::BYTES_MAX . ' bytes');
        }
        $groups = [0]; // of nine decimal digits, least significant first
        foreach (str_split($bytes) as $byte) {
            $carry = $byte === '' ? 0 : ord($byte);
            foreach ($groups as $i => $group) {
                $sum = $group * 256 + $carry;
                $groups[$i] = $sum % self::GROUP;
                $carry = intdiv($sum, self::GROUP);
            }
            if ($carry > 0) {
                $groups[] = $carry;
            }
        }
        if ($isNegative) { // CBOR's -1 - n
            for ($i = 0; ($groups[$i] = ($groups[$i] ?? 0) + 1) === self::GROUP; $i++) {
                $groups[$i] = 0;
            }
        }
        $digits = '';
        foreach ($groups as $group) {
            $digits = sprintf('%09d', $group) . $digits;
        }
        $digits = ($isNegative ? '-' : '') . (ltrim($digits, '0') ?: '0');
        return (string) (int) $digits === $digits ? (int) $digits : new self($digits);
    }

    private const GROUP = 1_000_000_000;
    private const BYTES_MAX = 2048;
}

/** $digits x 10^$exponent. */
final class Decimal implements \Stringable, \JsonSerializable
{
    public function __construct(public readonly string $digits, public readonly int $exponent)
    {
    }

    public function __toString(): string
    {
        $sign = $this->digits[0] === '-' ? '-' : '';
        $digits = ltrim($this->digits, '-');
        if ($this->exponent >= 0 || $this->exponent < -1000) {
            return $sign . $digits . ($this->exponent === 0 ? '' : 'e' . $this->exponent);
        }
        $digits = str_pad($digits, 1 - $this->exponent, '0', STR_PAD_LEFT);
        return $sign . substr($digits, 0, $this->exponent) . '.' . substr($digits, $this->exponent);
    }

    public function jsonSerialize(): mixed
    {
        return (string) $this;
    }
}

/** A CBOR tag or simple value without a kind of its own. */
final class Tagged
{
    public function __construct(
        /** TAG_CBOR, TAG_SIMPLE, TAG_BSON */
        public readonly int $space,
        public readonly int $number,
        public readonly mixed $value,
    ) {
    }
}
