<?php
// A dense array of numbers. Its elements lie in a string as they came and become PHP numbers only when asked for.
//
// What must stay true: the string is exactly as long as type and shape say; the constructor is the only way in.

declare(strict_types=1);

namespace Weir;

/** @implements \IteratorAggregate<int, mixed> */
final class NdArray implements \Countable, \IteratorAggregate, \JsonSerializable
{
    /** Bytes of an element, and the letter of pack() for it. */
    private const TYPES = [
        'u8' => [1, 'C'], 'u16' => [2, 'v'], 'u32' => [4, 'V'], 'u64' => [8, 'P'],
        'i8' => [1, 'c'], 'i16' => [2, 's'], 'i32' => [4, 'l'], 'i64' => [8, 'q'],
        'f32' => [4, 'g'], 'f64' => [8, 'e'],
    ];
    /** Elements in all. */
    public readonly int $size;

    /** @param list<int> $shape */
    public function __construct(
        public readonly string $dtype,
        public readonly array $shape,
        public readonly string $bytes,
        public readonly string $order = 'row',
    ) {
        $size = self::itemsOf($shape);
        if (!isset(self::TYPES[$dtype]) || $size === null || !in_array($order, ['row', 'column'], true)) {
            throw new InvalidException("an array of \"$dtype\" in \"$order\" order cannot be");
        }
        // Compared by dividing: the product may be beyond an integer.
        $width = self::TYPES[$dtype][0];
        if (strlen($bytes) % $width !== 0 || intdiv(strlen($bytes), $width) !== $size) {
            throw new InvalidException(strlen($bytes) . ' bytes are no array of this shape of ' . $dtype);
        }
        $this->size = $size;
    }

    /** The array that raw data of $type is; null when that is no type of numbers, or has another size. */
    public static function ofType(string $type, string $bytes): ?NdArray
    {
        $size = '(?:0|[1-9][0-9]{0,17})';
        $form = "/^([ui](?:8|16|32|64)|f(?:32|64))(?:\\[($size(?:,$size){0,14})\\])?(:col)?$/D";
        if (!preg_match($form, $type, $part)) {
            return null;
        }
        $shape = ($part[2] ?? '') === '' ? [] : array_map('intval', explode(',', $part[2]));
        $order = ($part[3] ?? '') === '' || count($shape) < 2 ? 'row' : 'column';
        try {
            return new self($part[1], $shape, $bytes, $order);
        } catch (InvalidException) {
            return null;
        }
    }

    /** The product of the sizes; null when it is beyond an integer or a size is negative. */
    private static function itemsOf(array $shape): ?int
    {
        if (in_array(0, $shape, true)) {
            return 0;
        }
        $size = 1;
        foreach ($shape as $length) {
            if (!is_int($length) || $length < 0 || $size > intdiv(PHP_INT_MAX, $length)) {
                return null;
            }
            $size *= $length;
        }
        return $size;
    }

    /** Nested lists, the first index outermost. */
    public function toArray(): array
    {
        $numbers = $this->numbers();
        if ($this->shape === []) {
            return $numbers;
        }
        return $this->nested($numbers, 0, 0, $this->strides());
    }

    /** One number by its indices. */
    public function at(int ...$index): mixed
    {
        if (count($index) !== count($this->shape)) {
            throw new InvalidException(count($this->shape) . ' indices are needed, ' . count($index) . ' were given');
        }
        $item = 0;
        foreach ($this->strides() as $i => $stride) {
            if ($index[$i] < 0 || $index[$i] >= $this->shape[$i]) {
                throw new InvalidException("index {$index[$i]} is not in 0 to " . $this->shape[$i] - 1);
            }
            $item += $index[$i] * $stride;
        }
        [$width, $letter] = self::TYPES[$this->dtype];
        return $this->numberOf(unpack($letter, $this->bytes, $item * $width)[1]);
    }

    /** The length of the first dimension. */
    public function count(): int
    {
        return $this->shape[0] ?? 1;
    }

    public function getIterator(): \Iterator
    {
        return new \ArrayIterator($this->toArray());
    }

    /** As toArray(), with null for what JSON cannot say. */
    public function jsonSerialize(): array
    {
        $items = $this->toArray();
        array_walk_recursive($items, function (mixed &$item): void {
            $item = is_float($item) && !is_finite($item) ? null : $item;
        });
        return $items;
    }

    /** How many elements one step of each index passes over. */
    private function strides(): array
    {
        $strides = [];
        $stride = 1;
        $inner = array_keys($this->shape);
        foreach ($this->order === 'row' ? array_reverse($inner) : $inner as $i) {
            $strides[$i] = $stride;
            $stride *= $this->shape[$i];
        }
        ksort($strides);
        return $strides;
    }

    private function nested(array $numbers, int $dimension, int $from, array $strides): array
    {
        $items = [];
        for ($i = 0; $i < $this->shape[$dimension]; $i++) {
            $at = $from + $i * $strides[$dimension];
            $items[] = $dimension === count($this->shape) - 1
                ? $numbers[$at]
                : $this->nested($numbers, $dimension + 1, $at, $strides);
        }
        return $items;
    }

    private function numbers(): array
    {
        if ($this->size === 0) {
            return [];
        }
        $numbers = array_values(unpack(self::TYPES[$this->dtype][1] . '*', $this->bytes));
        return $this->dtype === 'u64' ? array_map($this->numberOf(...), $numbers) : $numbers;
    }

    /** unpack() gives u64 beyond int as negative. */
    private function numberOf(int|float $number): mixed
    {
        return $this->dtype === 'u64' && $number < 0 ? new BigInt(sprintf('%u', $number)) : $number;
    }
}
