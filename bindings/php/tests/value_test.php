<?php
// PHP values to documents and back, codecs, the classes for what PHP has no type for, and arrays of numbers.

declare(strict_types=1);

use Weir\{BigInt, Bytes, Decimal, NdArray, Tagged};

enum Colour: string
{
    case Red = 'red';
}

function json(mixed $value): string
{
    return Weir\encode($value, 'json', Weir\PLAIN);
}

function through(mixed $value, string $codec = 'cbor'): mixed
{
    return Weir\decode(Weir\encode($value, $codec), $codec);
}

return [
    'plain values come back the same' => function () {
        $values = [null, true, false, 0, -1, PHP_INT_MAX, PHP_INT_MIN, 0.5, -1e300, '', 'zwölf €𝄞', [], [1, [2, [3]]],
            ['a' => 1, 'b' => ['c' => 'd']]];
        foreach ($values as $value) {
            same($value, through($value));
            same($value, through($value, 'json'));
        }
    },
    'lists are arrays and the rest are maps' => function () {
        same('[1,2]', json([1, 2]));
        same('{"1":1,"2":2}', json([1 => 1, 2 => 2]));
        same('{"x":[],"y":{}}', json(['x' => [], 'y' => new stdClass()]));
        same('{"a":1}', json((object) ['a' => 1]));
        same([5 => 'five', 'six' => 6], through([5 => 'five', 'six' => 6]));
    },
    'a string that is not UTF-8 is bytes' => function () {
        $back = through("\xFF\x00");
        check($back instanceof Bytes);
        same("\xFF\x00", $back->bytes);
        same("\xFF\x00", (string) $back);
        $broken = ["\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "12345678\x80", "\xF5", "a\xC3"];
        foreach ($broken as $bad) {
            check(through($bad) instanceof Bytes, bin2hex($bad));
        }
        foreach (["\x00", "\u{7FF}", "\u{FFFF}", "\u{10FFFF}", 'long enough for the fast path'] as $good) {
            same($good, through($good));
        }
        same('text', (string) through(new Bytes('text')));
        same('"dGV4dA=="', json_encode(new Bytes('text')));
    },
    'big integers, decimals and tags have classes' => function () {
        $big = through(new BigInt('123456789012345678901234567890'));
        check($big instanceof BigInt);
        same('123456789012345678901234567890', $big->digits);
        same('18446744073709551615', (string) through(new BigInt('18446744073709551615')));
        same(7, through(new BigInt('7')));
        $price = through(new Decimal('-2150', -2));
        same(['-2150', -2, '-2150E-2'], [$price->digits, $price->exponent, (string) $price]);
        $tagged = through(new Tagged(Weir\TAG_CBOR, 4711, ['a' => 1]));
        same([Weir\TAG_CBOR, 4711, ['a' => 1]], [$tagged->space, $tagged->number, $tagged->value]);
        thrown(ValueError::class, fn() => new BigInt('12x'));
        thrown(Error::class, function () {
            $b = new BigInt('1');
            $b->digits = '2';
        });
        thrown(Error::class, fn() => (new BigInt('1'))->__construct('2'));
    },
    'dates keep their microseconds' => function () {
        foreach (['2026-11-24 01:02:03.456789 UTC', '1969-12-31 23:59:58.75 UTC', '1970-01-01 00:00:00 UTC'] as $text) {
            $back = through(new DateTimeImmutable($text));
            check($back instanceof DateTimeImmutable);
            same((new DateTimeImmutable($text))->format('U.u'), $back->format('U.u'));
            same('+00:00', $back->getTimezone()->getName());
        }
        thrown(Weir\EncodeException::class, fn() => Weir\encode(new DateTime('9999-01-01')));
    },
    'objects say how they want to be sent, or are refused' => function () {
        $object = new class implements JsonSerializable {
            public function jsonSerialize(): mixed
            {
                return ['colour' => Colour::Red, 'text' => str_repeat('x', 3), 'numbers' => NdArray::from([1.0, 2.0])];
            }
        };
        same('{"colour":"red","text":"xxx","numbers":[1.0,2.0]}', json($object));
        $e = thrown(Weir\EncodeException::class, fn() => Weir\encode(['a' => new ArrayObject()]));
        check(str_contains($e->getMessage(), 'ArrayObject'), $e->getMessage());
        thrown(Weir\EncodeException::class, fn() => Weir\encode(STDIN));
    },
    'what a jsonSerialize throws is passed on' => function () {
        $object = new class implements JsonSerializable {
            public function jsonSerialize(): mixed
            {
                throw new DomainException('not now');
            }
        };
        thrown(DomainException::class, fn() => Weir\encode([1, $object]));
        same('[1]', json([1]));
    },
    'an array that contains itself is refused' => function () {
        $a = [1];
        $a[] = &$a;
        thrown(Weir\LimitException::class, fn() => Weir\encode($a));
        unset($a[1]);
    },
    'codecs convert and complain with an offset' => function () {
        same("\xA1\x61\x61\x82\x01\x02", Weir\convert('{"a": [1, 2]}', 'json', 'cbor'));
        same(['a' => [1, 2]], Weir\decode("\xA1\x61\x61\x82\x01\x02"));
        same("{\n", substr(Weir\encode(['a' => 1], 'json', Weir\PRETTY), 0, 2));
        $e = thrown(Weir\ParseException::class, fn() => Weir\decode('[1,]', 'json'));
        same([Weir\EPARSE, 'WEIR_EPARSE', 3], [$e->getCode(), $e->name, $e->offset]);
        thrown(Weir\InvalidException::class, fn() => Weir\decode('', 'morse'));
    },
    'the first of repeated keys counts' => function () {
        same(['a' => 1, 'b' => 2], Weir\decode('{"a":1,"b":2,"a":3}', 'json'));
        same([1 => 'x'], Weir\decode("\xA1\x01\x61\x78"));
        same(['1.5' => 1], Weir\decode("\xA1\xF9\x3E\x00\x01"));
    },
    'arrays of numbers keep shape, order and type' => function () {
        $a = NdArray::from([[1, 2, 3], [4, 5, 6]], 'i32');
        same([[2, 3], 'i32', 'row', 6], [$a->shape, $a->dtype, $a->order, $a->size]);
        same(pack('l*', 1, 2, 3, 4, 5, 6), $a->bytes);
        same([[1, 2, 3], [4, 5, 6]], $a->toArray());
        same([2, 6, [4, 5, 6]], [count($a), $a->at(1, 2), iterator_to_array($a)[1]]);
        $back = through($a);
        check($back instanceof NdArray);
        same([$a->shape, $a->dtype, $a->bytes], [$back->shape, $back->dtype, $back->bytes]);
        $column = new NdArray('f64', [2, 3], pack('d*', 1, 4, 2, 5, 3, 6), 'column');
        same([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], $column->toArray());
        same([6.0, 'column'], [$column->at(1, 2), through($column)->order]);
        same('[[1.0,2.0,3.0],[4.0,5.0,6.0]]', json_encode($column, JSON_PRESERVE_ZERO_FRACTION));
        same('[1.5,null]', json_encode(NdArray::from([1.5, NAN])));
    },
    'every element type keeps its ends' => function () {
        $ends = ['u8' => [0, 255], 'u16' => [0, 65535], 'u32' => [0, 4294967295], 'u64' => [0, PHP_INT_MAX],
            'i8' => [-128, 127], 'i16' => [-32768, 32767], 'i32' => [-2147483648, 2147483647],
            'i64' => [PHP_INT_MIN, PHP_INT_MAX], 'f32' => [-1.5, 1.5], 'f64' => [-1e300, 1e300]];
        foreach ($ends as $dtype => $numbers) {
            same($numbers, through(NdArray::from($numbers, $dtype))->toArray());
            if ($dtype[0] !== 'f' && $numbers[1] < PHP_INT_MAX) {
                thrown(ValueError::class, fn() => NdArray::from([$numbers[1] + 1], $dtype));
                thrown(ValueError::class, fn() => NdArray::from([$numbers[0] - 1], $dtype));
            }
        }
        same('18446744073709551615', (string) (new NdArray('u64', [1], str_repeat("\xFF", 8)))->at(0));
    },
    'elements in the other byte order are turned' => function () {
        $big = Weir\decode("\xD8\x41\x44\x01\x02\x03\x04"); // RFC 8746, tag 65: u16, most significant byte first
        same(['u16', [0x0102, 0x0304], pack('S*', 0x0102, 0x0304)], [$big->dtype, $big->toArray(), $big->bytes]);
    },
    'an array that cannot be is refused' => function () {
        thrown(ValueError::class, fn() => new NdArray('f64', [2], 'short'));
        thrown(ValueError::class, fn() => new NdArray('f16', [1], 'xx'));
        thrown(ValueError::class, fn() => new NdArray('u8', [-1], ''));
        thrown(ValueError::class, fn() => new NdArray('u8', array_fill(0, 16, 1), 'x'));
        thrown(ValueError::class, fn() => new NdArray('u8', [1 << 62, 1 << 62], ''));
        thrown(ValueError::class, fn() => NdArray::from([[1, 2], [3]]));
        thrown(ValueError::class, fn() => NdArray::from([1, 'x']));
        thrown(ValueError::class, fn() => NdArray::from([1])->at(1));
        thrown(Error::class, function () {
            $a = NdArray::from([1]);
            $a->shape = [2];
        });
    },
    'the constants are those of the header' => function () {
        $source = file_get_contents(dirname(__DIR__) . '/constants.php');
        preg_match_all('/^const (\w+) = (\d+);/m', $source, $found, PREG_SET_ORDER);
        check(count($found) > 60, count($found));
        foreach ($found as [, $name, $number]) {
            same((int) $number, constant("Weir\\$name"));
        }
        same(1, preg_match("/^const VERSION = '([\\d.]+)';/m", $source, $version));
        same([$version[1], $version[1]], [Weir\version(), phpversion('weir')]);
    },
    'the stub shows what the extension has' => function () {
        $source = file_get_contents(dirname(__DIR__) . '/ext/weir.stub.php');
        $module = new ReflectionExtension('weir');
        foreach ($module->getFunctions() as $function) {
            $name = $function->getShortName();
            check(preg_match("/^function $name\\(/m", $source) === 1, $name);
        }
        foreach ($module->getClasses() as $class) {
            check(preg_match('/^(final )?class ' . $class->getShortName() . '\b/m', $source) === 1, $class->getName());
            foreach ($class->getMethods() as $method) {
                $is_own = $method->getDeclaringClass()->getName() === $class->getName() && $method->isPublic();
                check(!$is_own || str_contains($source, "function {$method->getName()}("), $method->getName());
            }
        }
    },
];
