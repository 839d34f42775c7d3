<?php
// JSON lines over a socket with PHP's own streams, without any extension: php -n lines.php write|read|call PLACE N.
[, $what, $place, $count] = $argv;
$stream = stream_socket_client($place[0] === '/' ? "unix://$place" : "tcp://$place", $code, $text, 20) ?: exit($text);
$say = fn(array $message) => fwrite($stream, json_encode($message) . "\n");
for ($i = 0; $i < $count; $i++) {
    if ($what === 'write') {
        $data = ['i' => $i, 'big' => 9007199254740993 + $i, 'half' => $i + 0.5, 'text' => "zwölf €𝄞 \"$i\"",
            'list' => [null, true, [$i]]];
        $say(['op' => 'reading', 'meta' => ['unit' => 'V'], 'data' => $data]);
        continue;
    }
    if ($what === 'call') {
        $say(['id' => $i + 1, 'op' => 'double', 'data' => $i]);
    }
    $message = json_decode(fgets($stream), true);
    unset($message['seq'], $message['time']);
    echo json_encode($what === 'call' ? $message['data'] : $message, JSON_PRESERVE_ZERO_FRACTION), "\n";
}
