<?php
/* /api/history: what the charts show when a page is opened, from what the channels still hold. A channel on a socket holds nothing: then
 * the charts begin empty and fill. */
declare(strict_types=1);

namespace Demo;

const LOOK_BACK = ['host' => 60, 'jitter' => 4]; /* seconds, as web/charts.js draws them */

/* @return list<array> the messages of the last seconds, oldest first; of the host only what is drawn */
function history(string $name, int $seconds): array
{
    $reader = new \Weir\Reader(with_option(channels()[$name]['address'], "observe=1&from=-{$seconds}s"));
    $messages = [];
    while ($message = $reader->next(0.0)) {
        $data = $message->data;
        $drawn = $name === 'host' && is_array($data) ? array_intersect_key($data, ['load' => 0, 'cores' => 0]) : $data;
        $messages[] = ['name' => $name, 'seq' => $message->seq, 'time' => $message->timeNs, 'meta' => $message->meta, 'data' => $drawn];
    }
    return $messages;
}

$all = [];
foreach (LOOK_BACK as $name => $seconds) {
    $all[$name] = history($name, $seconds);
}
answer_json(200, ['v' => 1] + $all);
