<?php
/* The page. Every number on it is the latest value at the moment of the request, written by the server, so it can be read without
 * scripts; web/app.js then keeps the same places up to date (data-field) and redraws the ages (data-age-of).
 *
 * From control.php: $answer, a refusal to show, or $answer_settings, what was carried out. */
declare(strict_types=1);

namespace Demo;

/* The latest messages and the texts made from them. */
final class Snapshot
{
    /** @var array<string, ?\Weir\Message> */
    public array $messages;

    public function __construct()
    {
        $this->messages = array_map(fn ($channel) => latest($channel['address']), channels());
    }

    /* A number at a path in a channel's data, or null. */
    public function at(string $channel, string ...$path): mixed
    {
        $value = $this->messages[$channel]?->data;
        foreach ($path as $key) {
            $value = is_array($value) ? $value[$key] ?? null : null;
        }
        return $value;
    }

    /* The same when it is a number. Anybody may have sent something else. */
    public function figure(string $channel, string ...$path): ?float
    {
        $value = $this->at($channel, ...$path);
        return is_int($value) || is_float($value) ? (float) $value : null;
    }

    public function age(string $channel): ?float
    {
        return $this->messages[$channel]?->age;
    }

    /* Sections of the vitals carry the time of the sensor's message they were made from. */
    public function age_of_section(string $section): ?float
    {
        $time = $this->figure('vitals', $section, 'time');
        return $time === null ? null : microtime(true) - $time / 1e9;
    }

    /** @return array<string, string> the text of each data-field */
    public function fields(): array
    {
        $at = $this->figure(...);
        $gigabytes = fn (?float $bytes) => number($bytes === null ? null : $bytes / 1e9);
        $temperatures = $this->at('host', 'temperatures') ?: [];
        return [
            'load' => number($at('host', 'load')),
            'load-more' => 'usually ' . number($at('vitals', 'load', 'mean')) . ' ± ' . number($at('vitals', 'load', 'deviation')),
            'memory' => number($at('host', 'memory', 'percent')),
            'memory-more' => $gigabytes($at('host', 'memory', 'used')) . ' of ' . $gigabytes($at('host', 'memory', 'total')) . ' GB',
            'late' => number($at('vitals', 'jitter', 'p99'), 0),
            'late-more' => 'p99; worst ' . number($at('vitals', 'jitter', 'max'), 0),
            'network' => scaled($at('host', 'network', 'receive')),
            'network-more' => 'out ' . scaled($at('host', 'network', 'send')) . 'B/s',
            'disk' => scaled($at('host', 'disk', 'write')),
            'disk-more' => 'read ' . scaled($at('host', 'disk', 'read')) . 'B/s',
            'pressure' => number($at('host', 'pressure', 'cpu')),
            'pressure-more' => 'disk ' . number($at('host', 'pressure', 'io')) . ', memory ' . number($at('host', 'pressure', 'memory')),
            'temperature' => number($temperatures ? max($temperatures) : null),
            'temperature-more' => $temperatures ? (string) array_search(max($temperatures), $temperatures, true) : '',
            'alarms' => number($at('recent', 'total'), 0),
            'window' => number($at('vitals', 'settings', 'window'), 0),
            'threshold' => (string) ($at('vitals', 'settings', 'threshold') ?? '–'),
        ];
    }
}

/* "live 0.2 s", "stale 7 s", or "no value yet". */
function badge(?float $age, string $source, float $limit): string
{
    $state = $age === null ? 'none' : ($age > $limit ? 'stale' : 'live');
    $text = $age === null ? 'no value yet' : $state . ' ' . duration(max($age, 0));
    return '<span class="badge" data-age-of="' . $source . '" data-state="' . $state . '">' . html($text) . '</span>';
}

function tile(string $id, string $label, string $unit, string $text, string $more, string $badge): string
{
    return <<<HTML
    <article class="tile" id="tile-$id" aria-labelledby="label-$id">
        <h3 id="label-$id">$label</h3>
        <p class="number"><span data-field="$id">$text</span><small>$unit</small></p>
        <p class="more" data-field="$id-more">$more</p>
        $badge
    </article>

    HTML;
}

function tiles(Snapshot $now): string
{
    $limit = 1.5;
    $host = badge($now->age('host'), 'host', $limit);
    $jitter = badge($now->age_of_section('jitter'), 'vitals.jitter', $limit);
    $recent = badge($now->age('recent'), 'recent', channels()['recent']['limit']);
    $all = [
        ['load', 'Processor load', '%', $host], ['late', 'Wake-up lateness', 'µs', $jitter], ['memory', 'Memory', '%', $host],
        ['network', 'Network in', 'B/s', $host], ['disk', 'Disk written', 'B/s', $host], ['pressure', 'Processor pressure', '%', $host],
        ['temperature', 'Hottest sensor', '°C', $host], ['alarms', 'Alarms', '', $recent],
    ];
    $texts = array_map(html(...), $now->fields());
    $made = '';
    foreach ($all as [$id, $label, $unit, $badge]) {
        if ($id === 'temperature' && !$now->at('host', 'temperatures')) {
            continue; /* most virtual machines have none */
        }
        $made .= tile($id, $label, $unit, $texts[$id], $texts["$id-more"] ?? 'since it began', $badge);
    }
    return $made;
}

function alarm_rows(Snapshot $now): string
{
    $rows = '';
    foreach ($now->at('recent', 'alarms') ?? [] as $alarm) {
        $rows .= '<tr><td>' . gmdate('H:i:s', intdiv($alarm['time'], 1_000_000_000)) . '<small> UTC</small></td><td>' . html($alarm['source'])
            . '</td><td>' . html(number($alarm['value']) . "\u{202f}" . unit($alarm['unit']))
            . '</td><td>' . html(number($alarm['mean']) . ' ± ' . number($alarm['deviation']))
            . '</td><td>' . html(number($alarm['z'])) . "</td></tr>\n";
    }
    return $rows;
}

function channel_rows(Snapshot $now): string
{
    $rows = '';
    foreach (channels() as $name => $channel) {
        $rows .= '<tr><th scope="row"><code>' . html(plain($channel['address'])) . '</code></th><td>' . html($channel['what'])
            . '</td><td>' . $channel['program'] . '</td><td class="figure" data-seq-of="' . $name . '">'
            . ($now->messages[$name]?->seq ?? '–') . '</td><td class="figure" data-rate-of="' . $name . '">–</td><td>'
            . badge($now->age($name), $name, $channel['limit']) . "</td></tr>\n";
    }
    return $rows;
}

/* The messages themselves, so that the charts need not wait for the first event. '<' is escaped: no text can end the script. */
function seed(Snapshot $now): string
{
    $parts = [];
    foreach (array_filter($now->messages) as $name => $message) {
        $parts[] = json_encode($name) . ':' . event_json($name, $message);
    }
    return str_replace('<', '\u003c', '{' . implode(',', $parts) . '}');
}

/* What the last order led to: [class, role, text]. */
function answer_shown(?string $answer, ?array $settings): array
{
    if ($answer !== null) {
        return ['refused', $answer];
    }
    return $settings === null ? ['', ''] : ['done', 'Done: window ' . $settings['window'] . ', threshold ' . $settings['threshold']
        . ($settings['paused'] ? ', paused.' : '.')];
}

$now = new Snapshot();
$field = array_map(html(...), $now->fields());
$settings = $now->at('vitals', 'settings') ?? ['window' => 1024, 'threshold' => 12, 'paused' => false];
[$answer_class, $answer_text] = answer_shown($answer ?? null, $answer_settings ?? null);
$limits = json_encode(array_map(fn ($channel) => $channel['limit'], channels()));
$control = plain(setting('WEIR_DEMO_CONTROL', 'unix:///tmp/weir-demo-control.sock'));

header('Content-Type: text/html; charset=utf-8');
header('Cache-Control: no-store');
header("Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none'; "
    . "form-action 'self'; frame-ancestors 'none'");
?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>weir telemetry</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/uplot/uPlot.min.css">
<link rel="stylesheet" href="/assets/style.css">
<noscript><meta http-equiv="refresh" content="5; url=/"></noscript>
<script type="module" src="/assets/app.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the values</a>
<header class="top">
    <h1><img src="/assets/icon.svg" alt="" width="28" height="28">weir <span>telemetry</span></h1>
    <p class="story">Python sensors <b>→</b> C++ and Fortran <b>→</b> PHP <b>→</b> you</p>
    <p class="link" id="link" data-state="static" role="status">values as of <?= gmdate('H:i:s') ?> UTC</p>
    <button type="button" id="theme" class="quiet" hidden aria-label="Switch between light and dark">◐</button>
</header>
<p id="lost" class="lost" role="alert" hidden></p>

<main id="main">
<section class="tiles" aria-label="Latest values">
<?= tiles($now) ?>
</section>

<section class="charts" aria-label="Charts">
<figure class="card wide" id="card-load">
    <figcaption><h2>Processor load</h2><span class="note">percent, one line for each core, the last minute</span><?= badge($now->age('host'), 'host', 1.5) ?></figcaption>
    <div class="chart" id="chart-load" role="img" aria-label="Processor load over the last minute"></div>
</figure>
<figure class="card" id="card-jitter">
    <figcaption><h2>Wake-up lateness</h2><span class="note">µs at 1 kHz, the last four seconds</span><?= badge($now->age('jitter'), 'jitter', 1.5) ?></figcaption>
    <div class="chart" id="chart-jitter" role="img" aria-label="How late a process was woken, over the last four seconds"></div>
</figure>
<figure class="card" id="card-spectrum">
    <figcaption><h2>Its spectrum</h2><span class="note" id="spectrum-note">µs²/Hz</span><?= badge($now->age('spectrum'), 'spectrum', 1.5) ?></figcaption>
    <div class="chart" id="chart-spectrum" role="img" aria-label="Power spectral density of the wake-up lateness"></div>
</figure>
<noscript><p class="hint">The charts are drawn by a script. The numbers are not: this page renews them every five seconds.</p></noscript>
</section>

<section class="pair">
<div class="card" id="card-control">
    <h2>Control</h2>
    <p class="note">Each button is one call to the C++ program on <code><?= html($control) ?></code></p>
    <form action="/control" method="post" class="order" novalidate>
        <input type="hidden" name="op" value="set_window">
        <label for="window">Window <small>samples, now <output data-field="window"><?= $field['window'] ?></output></small></label>
        <input id="window" name="value" inputmode="numeric" autocomplete="off" list="windows" value="<?= html((string) $settings['window']) ?>">
        <datalist id="windows"><option value="64"><option value="128"><option value="256"><option value="512"><option value="1024"><option value="2048"><option value="4096"></datalist>
        <button>Set</button>
    </form>
    <form action="/control" method="post" class="order" novalidate>
        <input type="hidden" name="op" value="set_threshold">
        <label for="threshold">Alarm beyond <small>deviations, now <output data-field="threshold"><?= $field['threshold'] ?></output></small></label>
        <input id="threshold" name="value" inputmode="decimal" autocomplete="off" value="<?= html((string) $settings['threshold']) ?>">
        <button>Set</button>
    </form>
    <form action="/control" method="post" class="order" id="pause" novalidate>
        <input type="hidden" name="op" value="<?= $settings['paused'] ? 'resume' : 'pause' ?>">
        <label for="pause-button">Spectrum and alarms <small data-field="paused"><?= $settings['paused'] ? 'are paused' : 'are running' ?></small></label>
        <button id="pause-button"><?= $settings['paused'] ? 'Resume' : 'Pause' ?></button>
    </form>
    <p id="answer" class="answer <?= $answer_class ?>" role="alert"><?= html($answer_text) ?></p>
</div>
<div class="card" id="card-alarms">
    <h2>Alarms <?= badge($now->age('recent'), 'recent', channels()['recent']['limit']) ?></h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Recent alarms">
    <table>
        <thead><tr><th scope="col">When</th><th scope="col">Signal</th><th scope="col">Value</th><th scope="col">Usual</th><th scope="col">z</th></tr></thead>
        <tbody id="alarms"><?= alarm_rows($now) ?></tbody>
    </table>
    <p class="hint" id="no-alarms"<?= $now->at('recent', 'alarms') ? ' hidden' : '' ?>>None so far. A value counts as an alarm when it is
        further from its mean than the number of deviations set on this page.</p>
    </div>
</div>
</section>

<section class="card" id="card-channels">
    <h2>Channels</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Channels">
    <table>
        <thead><tr><th scope="col">Address</th><th scope="col">What</th><th scope="col">From</th><th scope="col" class="figure">Message</th><th scope="col" class="figure">Per second</th><th scope="col">State</th></tr></thead>
        <tbody><?= channel_rows($now) ?></tbody>
    </table>
    </div>
    <p class="hint">Stop one with <code>kill</code> and watch: its values turn stale, the others go on, and it comes back.
        In a terminal: <code>weir ls</code>, <code>weir sub <?= html(plain(channels()['vitals']['address'])) ?></code>.
        As JSON: <a href="/api/latest">/api/latest</a>, <a href="/stream">/stream</a>.</p>
</section>
</main>
<p class="unseen" id="announce" role="status" aria-live="polite"></p>
<script type="application/json" id="seed"><?= seed($now) ?></script>
<script type="application/json" id="limits"><?= $limits ?></script>
</body>
</html>
