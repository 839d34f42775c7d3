<?php
// The pure reader at work, in a PHP without the extension: `php -n pure_child.php`. Each line on stdin is a task as
// JSON, each line on stdout its answer. pure_test.php asks.
//
//   {"get": ADDRESS, "max_age": S}        the message, described, or {"error": class, "text": sentence}
//   {"watch": ADDRESS, "seconds": S}      read again and again while a writer sends n and padding made of n; how often
//   {"decode": HEX}                       CBOR

declare(strict_types=1);

/** A value with its kinds, the same text with and without the extension. */
function describe(mixed $value): string
{
    return match (true) {
        is_array($value) => '[' . implode(', ', array_map(
            fn(string|int $key, mixed $item) => "$key: " . describe($item),
            array_keys($value),
            $value,
        )) . ']',
        is_float($value) => is_nan($value) ? 'float NAN' : 'float ' . bin2hex(pack('E', $value)),
        $value instanceof DateTimeInterface => 'time ' . $value->format('Y-m-d\TH:i:s.u T'),
        $value instanceof Weir\NdArray => "ndarray $value->dtype $value->order " . json_encode($value->shape) . ' '
            . bin2hex($value->bytes) . ' ' . describe($value->toArray()),
        $value instanceof Weir\Tagged => "tagged $value->space $value->number " . describe($value->value),
        $value instanceof Weir\Decimal => "decimal $value->digits $value->exponent",
        $value instanceof Weir\Bytes, $value instanceof Weir\BigInt => $value::class . ' ' . bin2hex((string) $value),
        default => get_debug_type($value) . ' ' . var_export($value, true),
    };
}

function described(Weir\Message $m): array
{
    $fields = ['op' => $m->op, 'seq' => $m->seq, 'timeNs' => $m->timeNs, 'time' => $m->time, 'meta' => $m->meta,
        'data' => $m->data, 'gap' => $m->gap, 'id' => $m->id, 'writer' => $m->writer, 'codec' => $m->codec,
        'type' => $m->type, 'bytes' => bin2hex($m->bytes)];
    return array_map(describe(...), $fields) + ['json' => $m->json()];
}

if (extension_loaded('weir')) {
    return; // included by the test for the functions above
}
error_reporting(E_ALL);
set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    throw new ErrorException($text, 0, $level, $file, $line);
});
require __DIR__ . '/../src/weir.php';

/** Whole, in order, and self-consistent, however fast the writer is. */
function watch(string $address, float $seconds): array
{
    $reads = $changes = $seq = 0;
    $end = hrtime(true) + (int) ($seconds * 1e9);
    while (hrtime(true) < $end) {
        $m = Weir\get($address);
        ['n' => $n, 'pad' => $pad] = $m->data;
        if ($m->seq < $seq || $m->seq !== $n || $pad !== str_repeat(chr(97 + $n % 26), $n * 37 % 20000)) {
            return ['error' => "message $m->seq behind $seq is not whole"];
        }
        $changes += $m->seq > $seq ? 1 : 0;
        $seq = $m->seq;
        $reads++;
    }
    return ['reads' => $reads, 'changes' => $changes];
}

while (($line = fgets(STDIN)) !== false) {
    $task = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    try {
        $answer = match (true) {
            isset($task['get']) => described(Weir\get($task['get'], $task['max_age'] ?? null)),
            isset($task['watch']) => watch($task['watch'], $task['seconds']),
            isset($task['decode']) => ['value' => describe(Weir\Cbor::decode(hex2bin($task['decode'])))],
        };
    } catch (Throwable $e) {
        $answer = ['error' => $e::class, 'text' => $e->getMessage(), 'code' => $e->getCode(), 'name' => $e->name ?? ''];
    }
    fwrite(STDOUT, json_encode($answer, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}
