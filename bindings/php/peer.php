<?php
// The PHP peer of the interoperability tests: tests/interop/README.md says what each verb does and prints.
//
// It sends the series from PHP values and prints what PHP values turned into: the JSON below is written by this
// program, not by the library. Run it as: php -d extension=.../weir.so peer.php VERB ...

declare(strict_types=1);

const LIMIT = 20.0;

// ---- writing the series ----

/** Message $i of the series: its op and its data; null for none. */
function series(int $i): array
{
    return match ($i % 9) {
        0 => ['map', ['half' => $i + 0.5, 'i' => $i, 'name' => 'zwölf €𝄞', 'none' => null, 'on' => $i % 2 === 0]],
        1 => ['text', "tick\t$i \"quoted\" \\ back"],
        2 => ['matrix', Weir\NdArray::from(
            array_map(fn(int $r) => array_map(fn(int $c) => $i + $r + $c / 4, range(0, 2)), range(0, 1)))],
        3 => ['vector', Weir\NdArray::from(array_map(fn(int $k) => 10 * $i - $k, range(0, 4)), 'i32')],
        4 => ['column', column($i)],
        5 => ['integers', [0, -1, 9007199254740993, PHP_INT_MAX, PHP_INT_MIN]],
        6 => ['empty', null],
        7 => ['nested', ['a' => [1, [2, [3, ['b' => []]]]], 'i' => $i]],
        8 => ['blob', new Weir\NdArray('u8', [100000], blob($i))],
    };
}

function column(int $i): Weir\NdArray
{
    $numbers = [];
    for ($c = 0; $c < 2; $c++) {
        for ($r = 0; $r < 3; $r++) {
            $numbers[] = $i + $r - $c / 4;
        }
    }
    return new Weir\NdArray('f64', [3, 2], pack('d*', ...$numbers), 'column');
}

function blob(int $i): string
{
    $bytes = '';
    for ($k = 0; $k < 100000; $k++) {
        $bytes .= chr(($i + 7 * $k) % 251);
    }
    return $bytes;
}

// ---- printing ----

function quoted(string $text): string
{
    $escapes = ['"' => '\"', '\\' => '\\\\', "\n" => '\n', "\r" => '\r', "\t" => '\t', "\x08" => '\b', "\f" => '\f'];
    for ($code = 0; $code < 0x20; $code++) {
        $escapes += [chr($code) => sprintf('\u%04x', $code)];
    }
    return '"' . strtr($text, $escapes) . '"';
}

function json(mixed $value): string
{
    return match (true) {
        $value === null => 'null',
        is_bool($value) => $value ? 'true' : 'false',
        is_int($value), $value instanceof Weir\BigInt => (string) $value,
        is_float($value) => var_export($value, true),
        is_string($value) => quoted($value),
        is_array($value) && array_is_list($value) => '[' . implode(',', array_map('json', $value)) . ']',
        is_array($value) => json_map($value),
        default => throw new UnexpectedValueException('the peer has no line for ' . get_debug_type($value)),
    };
}

function json_map(array $map): string
{
    ksort($map, SORT_STRING);
    $pair = fn(int|string $key, mixed $item) => quoted((string) $key) . ':' . json($item);
    return '{' . implode(',', array_map($pair, array_keys($map), $map)) . '}';
}

/** TYPE ORDER CHECK of an array of numbers. */
function array_line(Weir\NdArray $array): string
{
    $check = 0;
    $k = 0;
    $numbers = $array->toArray();
    array_walk_recursive($numbers, function (int|float $number) use (&$check, &$k) {
        $check += 4 * ++$k * $number;
    });
    $type = $array->dtype . '[' . implode(',', $array->shape) . ']';
    return $type . ' ' . (count($array->shape) > 1 ? $array->order : 'row') . ' ' . (int) $check;
}

function line(mixed $value): string
{
    return match (true) {
        $value === null => '-',
        $value instanceof Weir\NdArray => array_line($value),
        default => json($value),
    };
}

/** Meta is always a map, and PHP's [] would pass for a list. */
function meta_line(?array $meta): string
{
    return $meta === [] ? '{}' : line($meta);
}

function say(string ...$parts): void
{
    fwrite(STDOUT, implode("\t", $parts) . "\n");
}

function say_message(Weir\Message $m): void
{
    say((string) $m->seq, (string) $m->gap, $m->op, meta_line($m->meta), line($m->data));
}

// ---- the verbs ----

function run_write(string $address, int $count): int
{
    $writer = new Weir\Writer($address);
    $writer->setTimeout(LIMIT);
    say('ready');
    for ($i = 0; $i < $count; $i++) {
        [$op, $data] = series($i);
        $writer->send($data, op: $op, meta: $op === 'empty' ? null : ['i' => $i, 'unit' => 'V']);
    }
    return 0;
}

function run_read(string $address, int $count): int
{
    $reader = new Weir\Reader($address);
    say('ready');
    for ($i = 1; $i <= $count; $i++) {
        $message = $reader->next(LIMIT) ?? throw new RuntimeException("no message $i of $count in time");
        say_message($message);
    }
    return 0;
}

function run_latest(string $address): int
{
    try {
        say_message(Weir\get($address));
    } catch (Weir\NotFoundException) {
        return 3;
    }
    return 0;
}

function run_call(string $address, string $op, string $json = ''): int
{
    $client = new Weir\Client($address);
    say('ready');
    try {
        // Not as arrays: {} would become []. Numbers beyond int are none of these tests.
        $data = $json === '' ? null : json_decode($json, false, flags: JSON_THROW_ON_ERROR);
        say('ok', line($client->call($op, $data, timeout: LIMIT)->data));
    } catch (Weir\RemoteException $e) {
        say('error', (string) $e->remoteCode, $e->getMessage());
        return 1;
    }
    return 0;
}

function run_serve(string $address, string $op, int $count): int
{
    $server = new Weir\Server($address);
    say('ready');
    for ($i = 1; $i <= $count; $i++) {
        $request = $server->next(LIMIT) ?? throw new RuntimeException("no request $i of $count in time");
        if ($request->op === $op) {
            $server->reply($request, $request->data, meta: ['by' => 'serve']);
        } else {
            $server->fail($request, 42, "no operation {$request->op} here");
        }
    }
    return 0;
}

function run(array $words): int
{
    $count = count($words);
    return match (true) {
        $count === 3 && $words[0] === 'write' => run_write($words[1], (int) $words[2]),
        $count === 3 && $words[0] === 'read' => run_read($words[1], (int) $words[2]),
        $count === 2 && $words[0] === 'latest' => run_latest($words[1]),
        $count > 2 && $count < 5 && $words[0] === 'call' => run_call(...array_slice($words, 1)),
        $count === 4 && $words[0] === 'serve' => run_serve($words[1], $words[2], (int) $words[3]),
        default => throw new RuntimeException(
            'usage: peer write ADDR N | read ADDR N | latest ADDR | call ADDR OP [JSON] | serve ADDR OP N'),
    };
}

try {
    $status = run(array_slice($argv, 1));
} catch (Weir\Error $e) {
    fwrite(STDERR, "{$e->name}: {$e->getMessage()}\n");
    $status = 2;
} catch (Throwable $e) {
    fwrite(STDERR, $e->getMessage() . "\n");
    $status = 2;
}
exit($status);
