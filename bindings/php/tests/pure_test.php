<?php
// The pure-PHP reader of the latest value (src/), run in a PHP without the extension and compared with the extension.

declare(strict_types=1);

use Weir\{BigInt, Bytes, Decimal, NdArray, Tagged, Writer};

require_once __DIR__ . '/pure_child.php';

/** Ask a child that has no extension; one child answers all questions of a test run. */
function pure(array $task, ?array $command = null): array
{
    static $pipes = null, $process = null;
    $command ??= [PHP_BINARY, '-n', __DIR__ . '/pure_child.php'];
    static $running = null;
    if ($running !== $command) {
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w']], $pipes);
        check(is_resource($process));
        $running = $command;
    }
    fwrite($pipes[0], json_encode($task) . "\n");
    $line = fgets($pipes[1]);
    check($line !== false, 'the child has ended');
    return json_decode($line, true);
}

/** What plain PHP reads is what the extension reads. */
function same_as_extension(string $address): array
{
    $read = pure(['get' => $address]);
    same(comparable(described(Weir\get($address))), comparable($read));
    return $read;
}

/** JSON by its meaning: 1e300 may be written in more than one way. */
function comparable(array $read): array
{
    return ['json' => var_export(json_decode($read['json'] ?? 'null', false, 99, JSON_BIGINT_AS_STRING), true)] + $read;
}

function error_of(string $class, string $address, array $more = []): string
{
    $answer = pure(['get' => $address] + $more);
    same($class, $answer['error'] ?? $answer);
    return $answer['text'];
}

/** Send n and padding made of n until killed. */
function sender(string $address): int
{
    return start(function () use ($address): int {
        $w = new Writer($address);
        for ($n = 1; ; $n++) {
            $w->send(['n' => $n, 'pad' => str_repeat(chr(97 + $n % 26), $n * 37 % 20000)]);
        }
    });
}

function end_of(int $pid): void
{
    exec("kill -9 $pid");
    finish($pid);
}

/** A random key; key_remove() takes its channel away. */
function sysv_address(): string
{
    $key = random_int(0x10000, 0xffffffff);
    return sprintf('sysv://0x%x', $key);
}

function key_remove(string $address): void
{
    $key = substr($address, 7);
    exec("ipcrm -M $key -S $key 2>&1");
    Weir\clean();
}

/** The pure reader with shmop, which is an extension of its own in some PHPs and built in in others. */
function with_shmop(): ?array
{
    $command = [PHP_BINARY, '-n', ...(extension_loaded('shmop') ? [] : ['-d', 'extension=shmop'])];
    $modules = (string) shell_exec(implode(' ', array_map(escapeshellarg(...), $command)) . ' -m 2>/dev/null');
    if (!str_contains($modules, "shmop\n")) {
        echo "# this PHP has no shmop (Debian: php-common): sysv:// is not tried\n";
        return null;
    }
    return [...$command, __DIR__ . '/pure_child.php'];
}

/** Where the channel's files are. */
function folder_of(string $address): string
{
    return scratch() . '/weir-' . fileowner(scratch()) . '/' . strtr(substr($address, 6), '/', '~');
}

return [
    'values are those of the extension' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $values = [
            null, true, false, 0, 23, 24, -1, -25, 255, 256, 65536, PHP_INT_MAX, PHP_INT_MIN, 1.5, -0.0, 1e300,
            NAN, INF, '', 'text', "Grüße \u{1F600}", new Bytes(''), "\xff\x00", [], [1, [2, [3]]], new stdClass(),
            ['a' => 1, 'b' => ['c' => null]], ['1' => 'one', '-9' => 'x', '01' => 'y'],
            new BigInt('18446744073709551615'), new BigInt('-18446744073709551616'), new BigInt('-9223372036854775809'),
            new BigInt(str_repeat('1234567890', 30)), new BigInt('-' . str_repeat('9', 200)),
            new Decimal('150', -2), new Decimal('-7', 3), new Decimal('0', 0), new Decimal('5', -3),
            new DateTimeImmutable('2026-11-27T12:34:56.789012Z'), new DateTimeImmutable('1969-12-31T23:59:59.5Z'),
            new DateTimeImmutable('@0'), new Tagged(Weir\TAG_CBOR, 32, 'http://a'),
            new Tagged(Weir\TAG_SIMPLE, 99, null),
            new Tagged(Weir\TAG_BSON, 7, "\xaa\xbb\xcc\xdd\xee\xff\x00\x11\x22\x33\x44\x55"),
            ['v' => NdArray::from([[1, 2, 3], [4, 5, 6]], 'i16'),
                'c' => new NdArray('f32', [2, 2], pack('g4', 1, 2, 3, 4), 'column')],
            range(0, 300), array_fill_keys(range('a', 'z'), 'many'), str_repeat('long ', 20000),
        ];
        foreach ($values as $i => $value) {
            $w->send($value, op: "value/$i", meta: ['i' => $i, 'unit' => 'm']);
            same_as_extension($address);
        }
    },
    'all CBOR of the vectors is read as the extension reads it' => function () {
        $count = 0;
        foreach (glob(__DIR__ . '/../../../tests/conformance/vectors/*.cbor') as $file) {
            $bytes = file_get_contents($file);
            $answer = pure(['decode' => bin2hex($bytes)]);
            same([basename($file), describe(Weir\decode($bytes))], [basename($file), $answer['value'] ?? $answer]);
            $count++;
        }
        check($count > 100, $count);
    },
    'what is no CBOR is refused' => function () {
        $refused = ['', '18', '1900', '61', '62c3', '61ff', '81', '9a0fffffff', '9bffffffffffffffff',
            '5b7fffffffffffffff', 'ff', 'f800', 'f81f', '1c',
            '5f6161ff', '5f5f4100ffff', '7f', 'bf6161ff', '0000', 'c2', str_repeat('81', 65) . '00',
            str_repeat('c6', 65) . '00', 'a1', 'a16161', 'fc', 'df00'];
        foreach ($refused as $hex) {
            $answer = pure(['decode' => $hex]);
            $allowed = ['Weir\ParseException', 'Weir\LimitException'];
            check(in_array($answer['error'] ?? '', $allowed, true), [$hex, $answer]);
        }
    },
    'JSON data' => function () {
        $address = shm_address();
        $w = new Writer($address . '?codec=json');
        foreach ([['x' => 1, 'y' => [1.5, 'ä', null, true]], [], 'text', 12, -1.25] as $value) {
            $w->send($value, op: 'reading', meta: ['unit' => 'V']);
            same('string \'json\'', same_as_extension($address)['codec']);
        }
        $w->sendBytes('{"x":', 'json');
        error_of(Weir\ParseException::class, $address);
    },
    'raw numbers of every type, shape and order' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $types = ['u8' => 'C', 'u16' => 'v', 'u32' => 'V', 'u64' => 'P', 'i8' => 'c', 'i16' => 's', 'i32' => 'l',
            'i64' => 'q', 'f32' => 'g', 'f64' => 'e'];
        foreach ($types as $dtype => $letter) {
            $bytes = pack($letter . '6', 1, 2, 3, -1, 5, 6);
            foreach (['[6]', '[2,3]', '[3,2]:col', '[1,2,3,1]', '[2,3]:col'] as $shape) {
                $w->sendBytes($bytes, 'raw', $dtype . $shape, op: 'numbers');
                same_as_extension($address);
            }
            $w->sendBytes('', 'raw', $dtype . '[0,4]');
            same_as_extension($address);
            $w->sendBytes(pack($letter, 7), 'raw', $dtype);
            same_as_extension($address);
        }
    },
    'raw structs say what they need' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $w->sendBytes(pack('qd', 1, 2.5), 'raw', '{t: i64, x: f64}');
        $text = error_of(Weir\UnsupportedException::class, $address);
        check(str_contains($text, '{t: i64, x: f64}') && str_contains($text, 'extension'), $text);
    },
    'a ring that wraps at every place' => function () {
        $address = shm_address();
        $w = new Writer($address . '?capacity=64K&full=drop-oldest');
        for ($n = 1; $n <= 60; $n++) {
            $w->send(['n' => $n, 'pad' => str_repeat(chr(97 + $n % 26), $n * 1777 % 30000)]);
            same_as_extension($address);
        }
    },
    'a lane that grows, also before its first message there' => function () {
        $address = shm_address();
        $w = new Writer($address . '?capacity=64K');
        foreach ([1, 100_000, 5, 1_000_000, 2] as $size) {
            $w->send(str_repeat('g', $size), op: "size $size");
            same_as_extension($address);
        }
        $w->close();
        $w = new Writer($address . '?capacity=16M'); // a new segment, nothing sent in it yet
        same('string \'size 2\'', same_as_extension($address)['op']);
    },
    'of several writers the newest' => function () {
        $address = shm_address();
        $writers = [new Writer($address), new Writer($address), new Writer($address)];
        foreach ([2, 0, 1, 1, 2, 0] as $i => $which) {
            $writers[$which]->send($i, op: "from $which");
            same('int ' . $i, same_as_extension($address)['data']);
        }
    },
    'a live writer at full speed' => function () {
        foreach (['?capacity=64K&full=drop-oldest', '?capacity=128K', '?capacity=4M&full=drop-oldest'] as $options) {
            $address = shm_address();
            $pid = sender($address . $options);
            eventually(fn() => !isset(pure(['get' => $address])['error']));
            $seen = pure(['watch' => $address, 'seconds' => 0.7]);
            end_of($pid);
            check(($seen['reads'] ?? 0) > 3 && $seen['changes'] > 1, $seen);
            same_as_extension($address); // and from the dead it can be read on
        }
    },
    'a live channel that grows under the reader' => function () {
        $address = shm_address();
        $pid = start(function () use ($address): int {
            // The kind of lane changes with each writer, so each begins a segment and takes the one before away.
            for ($i = 0; ; $i++) {
                $w = new Writer($address . ($i % 2 ? '?capacity=64K' : '?capacity=64K&full=drop-oldest'));
                for ($j = 0; $j < 3; $j++) {
                    $w->send(str_repeat('x', 3000));
                }
                $w->close();
            }
        });
        eventually(fn() => !isset(pure(['get' => $address])['error']));
        $deadline = hrtime(true) + 700_000_000;
        $seq = 0;
        while (hrtime(true) < $deadline) {
            $m = pure(['get' => $address]);
            check(!isset($m['error']), $m);
            $now = (int) substr($m['seq'], 4);
            check($now >= $seq, [$seq, $now]);
            $seq = $now;
        }
        for ($i = 0; $i < 4000; $i++) {
            same(3000, strlen(Weir\get($address)->data)); // the extension is under the same promise
        }
        end_of($pid);
        check($seq > 1, $seq);
    },
    'age and maxAge' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $w->send(1);
        check(!isset(pure(['get' => $address, 'max_age' => 60.0])['error']));
        usleep(2000);
        $text = error_of(Weir\StaleException::class, $address, ['max_age' => 0.001]);
        check(str_contains($text, 'you asked for at most 0.001 s'), $text);
        (new Writer($address = shm_address() . '?stamp=0'))->send(1);
        check(str_contains(error_of(Weir\StaleException::class, $address, ['max_age' => 60.0]), 'has no time'));
        check(!isset(pure(['get' => $address])['error']));
    },
    'errors are those of the extension' => function () {
        $empty = shm_address();
        $reader = new Weir\Reader($empty);
        foreach ([shm_address(), $empty, 'nothing/here', '~65533/lab/x', 'shm://UPPER', '../a', 'a/../b', 'lab/.x', '',
            'lab/x?colour=red', 'ftp://x', '~nobody-of-that-name/x'] as $address) {
            $e = null;
            try {
                Weir\get($address);
            } catch (Weir\Error $e) {
            }
            $answer = pure(['get' => $address]);
            same([$address, $e::class, $e->getCode(), $e->name],
                [$address, $answer['error'] ?? $answer, $answer['code'] ?? 0, $answer['name'] ?? '']);
        }
        check(str_contains(error_of(Weir\UnsupportedException::class, unix_address()), 'extension'));
    },
    'files of other kinds are not read' => function () {
        foreach (['link', 'fifo', 'folder', 'short', 'hard link'] as $what) {
            $address = shm_address();
            (new Writer($address))->send(1);
            $lane = folder_of($address) . '/lane.0.1';
            rename($lane, scratch() . '/moved');
            match ($what) {
                'link' => symlink(scratch() . '/moved', $lane),
                'hard link' => link(scratch() . '/moved', $lane),
                'fifo' => exec('mkfifo ' . escapeshellarg($lane)),
                'folder' => mkdir($lane),
                'short' => file_put_contents($lane, substr(file_get_contents(scratch() . '/moved'), 0, 9000)),
            };
            error_of(Weir\CorruptException::class, $address);
        }
    },
    'a damaged lane ends in a sentence' => function () {
        $address = shm_address();
        $w = new Writer($address . '?capacity=64K');
        for ($i = 0; $i < 5; $i++) {
            $w->send(['i' => $i, 'text' => 'some text'], op: 'op', meta: ['a' => 1]);
        }
        $w->close();
        $lane = folder_of($address) . '/lane.0.1';
        $whole = file_get_contents($lane);
        mt_srand(7);
        for ($i = 0; $i < 400; $i++) {
            $bytes = $whole;
            $from = [0, 4096, 4160, 8192][$i % 4];
            for ($j = 0; $j < 3; $j++) {
                $at = $from + mt_rand(0, $from === 8192 ? 400 : 48);
                $bytes[$at] = chr([0, 255, 128, mt_rand(0, 255)][mt_rand(0, 3)]);
            }
            file_put_contents($lane, $bytes);
            $answer = pure(['get' => $address]);
            check(!isset($answer['error']) || str_starts_with($answer['error'], 'Weir\\'), [$i, $answer]);
        }
    },
    'sysv:// through shmop' => function () {
        if (($child = with_shmop()) === null) {
            return;
        }
        $address = sysv_address();
        same(Weir\NotFoundException::class, pure(['get' => $address], $child)['error'] ?? '');
        $w = new Writer($address . '?capacity=64K');
        same(Weir\NotFoundException::class, pure(['get' => $address], $child)['error'] ?? '');
        foreach ([1, 'text', ['a' => [1, 2.5]], str_repeat('grown ', 30000), 7] as $value) {
            $w->send($value, op: 'reading', meta: ['unit' => 'V']);
            foreach ([$address, 'sysv://' . hexdec(substr($address, 9)), 'sysv://~0/' . substr($address, 7)] as $form) {
                if ($form[7] === '~' && fileowner(scratch()) !== 0) {
                    continue;
                }
                same(comparable(described(Weir\get($form))), comparable(pure(['get' => $form], $child)));
            }
        }
        $w->close();
        $other = new Writer($address);
        $other->send('of a later writer');
        same(comparable(described(Weir\get($address))), comparable(pure(['get' => $address], $child)));
        foreach (['sysv://0', 'sysv://lab', 'sysv://4294967296', 'sysv://~nobody-of-that-name/5', "$address?colour=red"] as $wrong) {
            same(Weir\AddressException::class, pure(['get' => $wrong], $child)['error'] ?? '');
        }
        $other->close();
        key_remove($address);
        same(Weir\NotFoundException::class, pure(['get' => $address], $child)['error'] ?? '');
    },
    'sysv:// while it is written' => function () {
        if (($child = with_shmop()) === null) {
            return;
        }
        $address = sysv_address();
        $pid = sender("$address?full=drop-oldest&capacity=64K");
        eventually(fn() => !isset(pure(['get' => $address], $child)['error']));
        $answer = pure(['watch' => $address, 'seconds' => 1.0], $child);
        end_of($pid);
        key_remove($address);
        check(($answer['reads'] ?? 0) > 10, $answer);
    },
    'sysv:// without shmop, of nobody, of another program' => function () {
        $address = sysv_address();
        if (!extension_loaded('shmop')) {
            (new Writer($address))->send(1);
            $text = error_of(Weir\UnsupportedException::class, $address);
            check(str_contains($text, 'shmop'), $text);
            key_remove($address);
        }
        if (($child = with_shmop()) === null || trim((string) shell_exec('command -v ipcmk')) === '') {
            return;
        }
        // ipcmk gives a random key; it is asked for by the address then.
        exec('ipcmk -M 4096', $lines);
        preg_match('/(\d+)\s*$/', implode('', $lines), $part);
        foreach (file('/proc/sysvipc/shm') as $line) {
            $field = preg_split('/\s+/', trim($line));
            if ($field[1] === $part[1]) {
                $key = sprintf('0x%x', (int) $field[0] & 0xffffffff);
            }
        }
        $answer = pure(['get' => "sysv://$key"], $child);
        exec("ipcrm -m $part[1]");
        same(Weir\CorruptException::class, $answer['error'] ?? $answer);
    },
    'another user\'s channel' => function () {
        $setpriv = trim((string) shell_exec('command -v setpriv'));
        if (fileowner(scratch()) !== 0 || $setpriv === '') {
            echo "# becoming another user needs root and setpriv: not tried\n";
            return;
        }
        chmod(scratch(), 0755);
        (new Writer('shown/to-all?mode=0644'))->send('for all');
        (new Writer('shown/to-none'))->send('for me');
        $copy = scratch() . '/binding'; // the checkout may be where others may not look
        mkdir("$copy/tests", 0755, true);
        mkdir("$copy/src", 0755);
        $sources = array_map(fn(string $path) => 'src/' . basename($path), glob(__DIR__ . '/../src/*'));
        foreach (['constants.php', 'tests/pure_child.php', ...$sources] as $file) {
            copy(__DIR__ . "/../$file", "$copy/$file");
            chmod("$copy/$file", 0644);
        }
        $stranger = [$setpriv, '--reuid=65534', '--regid=65534', '--clear-groups', PHP_BINARY, '-n',
            "$copy/tests/pure_child.php"];
        same("string 'for all'", pure(['get' => '~0/shown/to-all'], $stranger)['data'] ?? null);
        $answer = pure(['get' => '~root/shown/to-none'], $stranger);
        same(Weir\AccessException::class, $answer['error'] ?? $answer);
        $sentence = 'shm://~root/shown/to-none is closed to you; its owner can let you in with allow=, or make it anew (weir gc first) with mode= and group=';
        same($sentence, $answer['text']);
    },
    'with the extension loaded it stays out of the way' => function () {
        require __DIR__ . '/../src/weir.php';
        check(!class_exists('Weir\Latest', false) && (new ReflectionFunction('Weir\get'))->isInternal());
    },
];
