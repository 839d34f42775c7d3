<?php
/* /api/latest: the latest message of each channel, null where there is none yet. For scripts, and for the page when it cannot
 * have a live stream. */
declare(strict_types=1);

namespace Demo;

header('Content-Type: application/json');
header('Cache-Control: no-store');
$parts = [];
foreach (channels() as $name => $channel) {
    $message = latest($channel['address']);
    $parts[] = json_encode($name) . ':' . ($message ? event_json($name, $message) : 'null');
}
echo '{"v":1,"viewers_max":', viewers_max(), ',"channels":{', implode(',', $parts), "}}\n";
