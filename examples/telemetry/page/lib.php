<?php
/* What the page's scripts share: the channels, their latest values, ages, and how numbers are written.
 *
 * Each request is short-lived and keeps nothing; what is shared between requests (how many viewers are live) stands in kernel
 * locks, so a killed worker leaves nothing to clean up. */
declare(strict_types=1);

namespace Demo;

/* Where the supervisor, or the web server's configuration, says something else than the default. */
function setting(string $name, string $default): string
{
    $value = $_SERVER[$name] ?? getenv($name);
    return is_string($value) && $value !== '' ? $value : $default;
}

/* The channels, in the order shown: address, what it is, and after how many seconds without a message it counts as stale. */
function channels(): array
{
    $all = [
        'host' => ['what' => 'what the machine is doing', 'program' => 'host.py', 'limit' => 1.5],
        'jitter' => ['what' => 'how late processes are woken', 'program' => 'jitter.py', 'limit' => 1.5],
        'spectrum' => ['what' => 'power spectral density of it', 'program' => 'analyse', 'limit' => 1.5],
        'vitals' => ['what' => 'statistics of both', 'program' => 'analyse', 'limit' => 1.5],
        'recent' => ['what' => 'alarms, newest first', 'program' => 'analyse', 'limit' => 2.2],
    ];
    foreach ($all as $name => $channel) {
        $all[$name]['address'] = setting('WEIR_DEMO_' . strtoupper($name), "demo/$name?keep=0");
    }
    return $all;
}

function with_option(string $address, string $option): string
{
    return $address . (str_contains($address, '?') ? '&' : '?') . $option;
}

/* An address as people write it in a command: without options. */
function plain(string $address): string
{
    return preg_replace(['/^shm:\/\//', '/\?.*$/s'], '', $address);
}

/* A message as one JSON object for the browser: its plain form, and before it the channel's name and its age. */
function event_json(string $name, \Weir\Message $message): string
{
    $head = json_encode(['name' => $name, 'age' => round(max($message->age ?? 0, 0), 4)]);
    return substr($head, 0, -1) . ',' . substr($message->json(), 1);
}

/* The latest message of a channel, or null while there is none. */
function latest(string $address): ?\Weir\Message
{
    try {
        return \Weir\get($address);
    } catch (\Weir\Error) {
        return null; /* for a page, nobody there yet and not to be reached are the same: no value */
    }
}

/* ---- viewers ---- */

/* A live viewer holds one of the server's workers. This takes one of the places for them: a locked file, which the kernel unlocks
 * when the request ends, however it ends. Null when all are taken. Keep what is returned for as long as the place is needed. */
function viewer_place(): mixed
{
    for ($i = 0; $i < viewers_max(); $i++) {
        $place = fopen(viewer_file($i), 'c');
        if ($place && flock($place, LOCK_EX | LOCK_NB)) {
            return $place;
        }
    }
    return null;
}

function viewers_max(): int
{
    return max(1, (int) setting('WEIR_DEMO_VIEWERS', '8'));
}

function viewer_file(int $i): string
{
    $folder = setting('WEIR_DEMO_RUN', sys_get_temp_dir() . '/weir-demo-page-' . fstat(tmpfile())['uid']);
    if (!is_dir($folder)) {
        @mkdir($folder, 0700);
    }
    return "$folder/viewer-$i";
}

/* ---- answers ---- */

function answer_json(int $status, array $data): void
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    echo json_encode($data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";
}

function html(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/* ---- numbers: web/format.js writes them the same way ---- */

function number(?float $value, int $digits = 1): string
{
    return $value === null ? '–' : number_format($value, $digits, '.', "\u{202f}");
}

/* 1234567 as "1.2 M", for a unit to follow. */
function scaled(?float $value): string
{
    if ($value === null) {
        return '– ';
    }
    foreach (['', 'k', 'M', 'G'] as $prefix) {
        if (abs($value) < 999.5) {
            return number($value, $prefix === '' || abs($value) >= 99.5 ? 0 : 1) . "\u{202f}$prefix";
        }
        $value /= 1000;
    }
    return number($value) . "\u{202f}T";
}

/* A unit as people write it; messages keep to ASCII. */
function unit(string $name): string
{
    return $name === 'us' ? 'µs' : $name;
}

function duration(float $seconds): string
{
    if ($seconds < 10) {
        return number($seconds) . "\u{202f}s";
    }
    return $seconds < 90 ? round($seconds) . "\u{202f}s" : ($seconds < 5400 ? round($seconds / 60) . "\u{202f}min" : round($seconds / 3600) . "\u{202f}h");
}
