<?php
// A full disk under full=block: PHP waits for room as C does, for as long as the writer's timeout says, and lets signals
// through meanwhile. Each case runs in a process with a mount namespace of its own, on a small file system.

declare(strict_types=1);

use Weir\{Reader, Writer};

/** Run $work($folder) on a file system of 256 KB, in another process. */
$on_disk = function (callable $work): void {
    $folder = scratch() . '/disk';
    is_dir($folder) || mkdir($folder);
    $status = finish(start(function () use ($work, $folder) {
        if (!@pcntl_unshare(CLONE_NEWNS)) {
            return 98;
        }
        exec('mount --make-rprivate / && mount -t tmpfs -o size=256k none ' . escapeshellarg($folder) . ' 2>&1', $said, $failed);
        if ($failed) {
            return 98;
        }
        $work($folder);
        return 3;
    }));
    if ($status === 98) {
        throw new Skip('no file system can be mounted here');
    }
    same(3, $status);
};

/** Leave no room in $folder but what unlink("$folder/ballast") gives back. */
$fill = function (string $folder): void {
    exec("cd $folder && head -c 131072 /dev/zero >ballast && cat /dev/zero >rest 2>/dev/null");
};

/** Another process that makes room after half a second. */
$free_soon = fn(string $folder): int => start(function () use ($folder) {
    usleep(500_000);
    unlink("$folder/ballast");
    return 0;
});

$large = str_repeat('x', 20000);

return [
    'room on a full disk is waited for' => fn() => $on_disk(function (string $folder) use ($fill, $free_soon, $large) {
        $calls = [
            'send' => fn(Writer $w) => $w->send($large),
            'bytes' => fn(Writer $w) => $w->sendBytes($large, 'raw'),
            'many' => fn(Writer $w) => $w->sendMany([$large], 'raw'),
            'uncork' => fn(Writer $w) => $w->uncork(),
        ];
        foreach ($calls as $name => $call) {
            $address = "file://$folder/$name.weir";
            $w = new Writer("$address?timeout=60s");
            $w->send(1);
            if ($name === 'uncork') {
                $w->cork();
                $w->send($large);
            }
            $fill($folder);
            $helper = $free_soon($folder);
            $call($w);
            check(!file_exists("$folder/ballast"), $name);
            same(0, finish($helper));
            same(60.0, $w->timeout());
            $w->close();
            same(2, Weir\get($address)->seq);
            array_map(unlink(...), glob("$folder/*"));
        }
    }),
    'a full disk is waited for as long as the timeout says' => fn() => $on_disk(function (string $folder) use ($fill, $large) {
        $w = new Writer("file://$folder/a.weir?timeout=300ms");
        $w->send(1);
        $fill($folder);
        $start = hrtime(true);
        $e = thrown(Weir\TimeoutException::class, fn() => $w->send($large));
        check(hrtime(true) - $start >= 300_000_000);
        check(str_contains($e->getMessage(), 'no room for') && str_contains($e->getMessage(), 'free some there'), $e->getMessage());
        $fail = new Writer("file://$folder/a.weir?full=fail");
        $e = thrown(Weir\SpaceException::class, fn() => $fail->send($large));
        check(str_contains($e->getMessage(), 'full=block'), $e->getMessage());
        unlink("$folder/ballast");
        $w->send($large);
    }),
    'a wait for a full disk lets signals through' => fn() => $on_disk(function (string $folder) use ($fill, $large) {
        $w = new Writer("file://$folder/a.weir?timeout=forever");
        $w->cork();
        $w->send(1);
        $fill($folder);
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, fn() => throw new DomainException('enough'));
        pcntl_alarm(1);
        thrown(DomainException::class, fn() => $w->send($large) . $w->uncork());
        pcntl_alarm(1);
        thrown(DomainException::class, fn() => $w->uncork());
        pcntl_signal(SIGALRM, fn() => unlink("$folder/ballast"));
        pcntl_alarm(1);
        $w->uncork();
        pcntl_signal(SIGALRM, SIG_DFL);
        pcntl_async_signals(false);
        same(2, Weir\get("file://$folder/a.weir")->seq);
    }),
];
