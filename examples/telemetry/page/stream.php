<?php
/* /stream: server-sent events, one for each new message: id, and as data one JSON object {"name", "age", "seq", "time", "op",
 * "meta", "data", ...}.
 *
 * A viewer is sent what is newest, at most RATE times a second: messages that came meanwhile are passed over, so a viewer that
 * reads slowly sees fewer of them but never older ones, and nothing piles up here. The id is the seq of every channel that
 * was sent; a browser that comes back says it in Last-Event-ID and is not sent again what it has. The stream ends when the viewer
 * goes, and after LIFETIME, when browsers come back by themselves: so no viewer keeps a worker for ever. */
declare(strict_types=1);

namespace Demo;

const RATE = 15;        /* per second and channel */
const HEARTBEAT = 1.0;  /* seconds of silence after which a comment shows whether the viewer is still there */
const LIFETIME = 120.0; /* seconds */

final class Viewer
{
    /** @var array<string, \Weir\Reader> */
    private array $readers = [];
    /** @var array<string, int> seq last sent, by channel */
    private array $sent;
    private float $spoke = 0;

    public function __construct(string $last_event_id)
    {
        parse_str($last_event_id, $seen);
        $this->sent = array_map(intval(...), array_filter($seen, is_string(...)));
    }

    public function run(): void
    {
        $this->say("retry: 300\n");
        $this->open();
        $end = microtime(true) + LIFETIME;
        while (!connection_aborted() && microtime(true) < $end) {
            \Weir\wait($this->readers, HEARTBEAT);
            $began = microtime(true);
            $this->send_news();
            if ($began - $this->spoke >= HEARTBEAT) {
                $this->say(": still here\n");
            }
            usleep((int) max(0, 1e6 * ($began + 1 / RATE - microtime(true))));
        }
    }

    /* Readers first, then the latest values: what comes in between is seen by both, and sent once. */
    private function open(): void
    {
        foreach (channels() as $name => $channel) {
            $this->readers[$name] = new \Weir\Reader(with_option($channel['address'], 'observe=1'));
            $message = latest($channel['address']);
            if ($message && $message->seq !== ($this->sent[$name] ?? null)) {
                $this->send($name, $message);
            }
        }
    }

    private function send_news(): void
    {
        foreach ($this->readers as $name => $reader) {
            $newest = null;
            while ($message = $reader->next(0.0)) {
                $newest = $message;
            }
            if ($newest && $newest->seq !== ($this->sent[$name] ?? null)) {
                $this->send($name, $newest);
            }
        }
    }

    private function send(string $name, \Weir\Message $message): void
    {
        $this->sent[$name] = $message->seq;
        $this->say('id: ' . http_build_query($this->sent) . "\ndata: " . event_json($name, $message) . "\n");
    }

    private function say(string $event): void
    {
        echo $event, "\n";
        flush();
        $this->spoke = microtime(true);
    }
}

$place = viewer_place();
if ($place === null) {
    header('Retry-After: 15');
    answer_json(503, ['error' => 'all ' . viewers_max() . ' places for live viewers are taken; ask /api/latest instead, or come back']);
    return;
}
set_time_limit(0);
while (ob_get_level() > 0) {
    ob_end_clean();
}
header('Content-Type: text/event-stream');
header('Cache-Control: no-store');
header('X-Accel-Buffering: no'); /* nginx would keep events back until its buffer is full */
(new Viewer($_SERVER['HTTP_LAST_EVENT_ID'] ?? ''))->run();
