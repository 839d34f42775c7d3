<?php
// The extension inside php-fpm: a real pool on a socket, asked by hand-written FastCGI, across many requests of the
// same worker.

declare(strict_types=1);

function fpm_binary(): ?string
{
    $found = glob('/usr/sbin/php-fpm' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION) ?: glob('/usr/sbin/php-fpm');
    return $found[0] ?? null;
}

function extension_path(): string
{
    preg_match('/^.* (\/\S*weir\.so)$/m', file_get_contents('/proc/self/maps'), $found);
    return $found[1];
}

/** One FastCGI request; the answer's body. */
function fcgi_get(string $socket, string $script): string
{
    $record = fn(int $type, string $content) => pack('CCnnCx', 1, $type, 1, strlen($content), 0) . $content;
    $pairs = '';
    foreach (['SCRIPT_FILENAME' => $script, 'REQUEST_METHOD' => 'GET', 'QUERY_STRING' => ''] as $name => $text) {
        $pairs .= chr(strlen($name)) . pack('N', strlen($text) | 1 << 31) . $name . $text;
    }
    $stream = stream_socket_client("unix://$socket", $code, $problem, 20);
    fwrite($stream, $record(1, pack('nCx5', 1, 0)) . $record(4, $pairs) . $record(4, '') . $record(5, ''));
    $body = '';
    while (strlen($header = (string) stream_get_contents($stream, 8)) === 8) {
        ['type' => $type, 'size' => $size, 'padding' => $padding] = unpack('Cv/Ctype/nid/nsize/Cpadding', $header);
        $content = $size + $padding ? substr(stream_get_contents($stream, $size + $padding), 0, $size) : '';
        $body .= $type === 6 ? $content : '';
        if ($type === 3) {
            break;
        }
    }
    fclose($stream);
    return explode("\r\n\r\n", $body, 2)[1] ?? $body;
}

/** Start a pool of one worker; returns [process, socket]. */
function fpm_start(): array
{
    $socket = scratch() . '/fpm.sock';
    $config = scratch() . '/fpm.conf';
    file_put_contents($config, "[global]\nerror_log = /dev/null\ndaemonize = no\n[www]\nlisten = $socket\npm = static\n"
        . "pm.max_children = 1\nenv[WEIR_SHM_DIR] = " . scratch() . "\n"
        . (trim((string) shell_exec('id -u')) === '0' ? "user = root\ngroup = root\n" : ''));
    $pipes = [];
    $command = [fpm_binary(), '-n', '-R', '-d', 'extension=' . extension_path(), '-y', $config];
    $nothing = [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']];
    $process = proc_open($command, $nothing, $pipes);
    eventually(function () use ($socket) {
        set_error_handler(null);
        $stream = @stream_socket_client("unix://$socket");
        restore_error_handler();
        return $stream !== false;
    });
    return [$process, $socket];
}

if (fpm_binary() === null) {
    return ['a worker of php-fpm serves request after request # SKIP php-fpm is not installed' => fn() => null];
}
return [
    'a worker of php-fpm serves request after request' => function () {
        $address = shm_address();
        $script = scratch() . '/page.php';
        file_put_contents($script, '<?php try { $m = Weir\get("' . $address . '"); '
            . 'echo json_encode(["pid" => getmypid(), "data" => $m->data, "json" => json_decode($m->json())->data]); } '
            . 'catch (Weir\NotFoundException $e) { echo $e->name; }');
        [$process, $socket] = fpm_start();
        try {
            same('WEIR_ENOENT', fcgi_get($socket, $script));
            $w = new Weir\Writer($address);
            $workers = [];
            for ($i = 0; $i < 20; $i++) {
                $w->send(['i' => $i]);
                $answer = json_decode(fcgi_get($socket, $script), true);
                same([['i' => $i], ['i' => $i]], [$answer['data'], $answer['json']]);
                $workers[$answer['pid']] = true;
            }
            same(1, count($workers));
        } finally {
            proc_terminate($process, SIGTERM);
            eventually(fn() => !proc_get_status($process)['running']);
        }
    },
];
