<?php
/* POST /control: op and value, passed on to the computation's control server as one call. What is right and wrong is decided there,
 * and its sentence is shown as it is. Scripts that accept JSON get JSON; a form of a browser without scripts gets the page with
 * the answer on it. */
declare(strict_types=1);

namespace Demo;

const OPERATIONS = ['set_window', 'set_threshold', 'pause', 'resume', 'status'];

/* A page of another site must not steer this one: browsers say where a form comes from. Some web servers leave the port out of the
 * host they pass on. */
function is_own_page(): bool
{
    $host = $_SERVER['HTTP_HOST'] ?? '';
    $origin = $_SERVER['HTTP_ORIGIN'] ?? "http://$host";
    return in_array(preg_replace('#^https?://#', '', $origin), [$host, $host . ':' . ($_SERVER['SERVER_PORT'] ?? '')], true);
}

function readable(string $text): string
{
    return preg_match('//u', $text) ? $text : '(not UTF-8)';
}

/* What was typed, as a number where it is one; otherwise as text, for the server to refuse. */
function typed(string $text): int|float|string|null
{
    $text = trim($text);
    return $text === '' ? null : (is_numeric($text) ? $text + 0 : readable($text));
}

/* One call. Returns the HTTP status and what to say. */
function call(string $operation, string $value): array
{
    if (!is_own_page()) {
        return [403, ['error' => 'orders are taken from this page only']];
    }
    if (!in_array($operation, OPERATIONS, true)) {
        return [422, ['error' => 'there is no operation "' . readable($operation) . '"; there are: ' . implode(', ', OPERATIONS)]];
    }
    try {
        $client = new \Weir\Client(setting('WEIR_DEMO_CONTROL', 'unix:///tmp/weir-demo-control.sock'));
        return [200, ['settings' => $client->call($operation, typed($value), timeout: 2.0)->data]];
    } catch (\Weir\RemoteException $e) {
        return [422, ['error' => $e->getMessage()]];
    } catch (\Weir\Error $e) {
        return [503, ['error' => 'the computation does not answer: ' . $e->getMessage()]];
    }
}

function accepts_json(): bool
{
    return str_contains($_SERVER['HTTP_ACCEPT'] ?? '', 'application/json');
}

$field = fn (string $name): string => is_string($_POST[$name] ?? null) ? $_POST[$name] : '';
[$status, $said] = call($field('op'), $field('value'));
if (accepts_json()) {
    answer_json($status, $said);
} else {
    http_response_code($status);
    $answer = $said['error'] ?? null;
    $answer_settings = $said['settings'] ?? null;
    require __DIR__ . '/index.php';
}
