<?php
/* The one entry: paths to scripts. `php -S 127.0.0.1:8080 router.php` needs nothing else; behind nginx and php-fpm every path that
 * is not a file of the page comes here too (docs/guide/web.md). */
declare(strict_types=1);

namespace Demo;

require __DIR__ . '/lib.php';

const FILES = __DIR__ . '/../web/';
const TYPES = [
    'js' => 'text/javascript; charset=utf-8',
    'css' => 'text/css; charset=utf-8',
    'svg' => 'image/svg+xml',
];

/* The page's own files, by the path under /assets/. Nothing else of the folder is served. */
function assets(): array
{
    $own = ['app.js', 'charts.js', 'controls.js', 'format.js', 'live.js', 'style.css', 'icon.svg'];
    return array_combine($own, $own) + [
        'uplot/uPlot.esm.js' => 'node_modules/uplot/dist/uPlot.esm.js',
        'uplot/uPlot.min.css' => 'node_modules/uplot/dist/uPlot.min.css',
    ];
}

function send_asset(string $name): void
{
    $file = isset(assets()[$name]) ? FILES . assets()[$name] : null;
    if ($file === null || !is_file($file)) {
        not_found();
        return;
    }
    $tag = '"' . dechex(filemtime($file)) . '-' . dechex(filesize($file)) . '"';
    header('Content-Type: ' . TYPES[pathinfo($file, PATHINFO_EXTENSION)]);
    header('Cache-Control: no-cache');
    header("ETag: $tag");
    if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $tag) {
        http_response_code(304);
        return;
    }
    header('Content-Length: ' . filesize($file));
    readfile($file);
}

function not_found(): void
{
    answer_json(404, ['error' => 'there is no such page; there are: / /stream /api/latest /api/history /control']);
}

function method_is(string ...$allowed): bool
{
    if (in_array($_SERVER['REQUEST_METHOD'], $allowed, true)) {
        return true;
    }
    header('Allow: ' . implode(', ', $allowed));
    answer_json(405, ['error' => 'this path answers ' . implode(' and ', $allowed) . ' only']);
    return false;
}

function route(string $path): void
{
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: no-referrer');
    if ($path === '/control') {
        if (method_is('POST')) {
            require __DIR__ . '/control.php';
        }
    } elseif (!method_is('GET', 'HEAD')) {
        return;
    } elseif ($path === '/') {
        require __DIR__ . '/index.php';
    } elseif ($path === '/stream') {
        require __DIR__ . '/stream.php';
    } elseif ($path === '/api/latest') {
        require __DIR__ . '/latest.php';
    } elseif ($path === '/api/history') {
        require __DIR__ . '/history.php';
    } elseif (str_starts_with($path, '/assets/')) {
        send_asset(substr($path, strlen('/assets/')));
    } else {
        not_found();
    }
}

if (!class_exists(\Weir\Reader::class)) {
    answer_json(500, ['error' => 'PHP has no weir extension; start it with -d extension=weir, or through `weir demo`']);
} else {
    route(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/');
}
