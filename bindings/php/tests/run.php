<?php
// Runs every *_test.php beside it and prints TAP: php -n -d extension=.../weir.so run.php [PATTERN]
//
// A test file returns ['what it shows' => function () { ... }]. A test fails by throwing; check() throws. Each has
// addresses of its own in a scratch folder on /dev/shm, which is taken away at the end.

declare(strict_types=1);

error_reporting(E_ALL);
set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    throw new ErrorException($text, 0, $level, $file, $line);
});

final class Failure extends Exception
{
}

/** Thrown by a test that cannot run here; the message says why. */
final class Skip extends Exception
{
}

/** The condition must hold; $shown says what was there instead. */
function check(bool $condition, mixed $shown = null): void
{
    if (!$condition) {
        throw new Failure(func_num_args() > 1 ? 'got ' . var_export($shown, true) : 'does not hold');
    }
}

function same(mixed $expected, mixed $actual): void
{
    if ($expected !== $actual) {
        throw new Failure('expected ' . var_export($expected, true) . ', got ' . var_export($actual, true));
    }
}

/** The exception of just this class that $action throws. */
function thrown(string $class, callable $action): Throwable
{
    try {
        $action();
    } catch (Throwable $e) {
        if ($e::class !== $class) {
            throw new Failure("expected $class, got " . $e::class . ': ' . $e->getMessage(), 0, $e);
        }
        return $e;
    }
    throw new Failure("nothing threw $class");
}

function scratch(): string
{
    static $folder = null;
    if ($folder === null) {
        do {
            $folder = '/dev/shm/weir-php-test-' . bin2hex(random_bytes(6));
        } while (!mkdir($folder, 0700));
    }
    return $folder;
}

function shm_address(): string
{
    static $count = 0;
    return 'shm://php/' . ++$count;
}

function unix_address(): string
{
    static $count = 0;
    return 'unix://' . scratch() . '/' . ++$count . '.sock';
}

/** Run $work in another process; the number it returns is its exit status. Reap it with finish(). */
function start(callable $work): int
{
    $pid = pcntl_fork();
    if ($pid !== 0) {
        return $pid;
    }
    $status = 99;
    try {
        $status = (int) $work();
    } catch (Throwable $e) {
        fwrite(STDERR, 'in the other process: ' . $e::class . ': ' . $e->getMessage() . "\n");
    }
    // No exit(): shutdown would run what belongs to the parent.
    pcntl_exec('/bin/sh', ['-c', "exit $status"]);
}

function finish(int $pid): int
{
    pcntl_waitpid($pid, $status);
    return pcntl_wifexited($status) ? pcntl_wexitstatus($status) : -1;
}

/** Look again and again until it holds, for at most 20 seconds. */
function eventually(callable $condition): void
{
    $deadline = hrtime(true) + 20_000_000_000;
    while (!$condition()) {
        if (hrtime(true) > $deadline) {
            throw new Failure('did not come to hold in 20 seconds');
        }
        usleep(2000);
    }
}

function remove(string $path): void
{
    if (!is_dir($path) || is_link($path)) {
        unlink($path);
        return;
    }
    foreach (array_diff(scandir($path), ['.', '..']) as $name) {
        remove("$path/$name");
    }
    rmdir($path);
}

function run(string $pattern): int
{
    $tests = [];
    foreach (glob(__DIR__ . '/*_test.php') as $file) {
        foreach (require $file as $name => $test) {
            $tests[basename($file, '_test.php') . ': ' . $name] = $test;
        }
    }
    $tests = array_filter($tests, fn(string $name) => str_contains($name, $pattern), ARRAY_FILTER_USE_KEY);
    echo '1..', count($tests), "\n";
    $number = $failures = 0;
    foreach ($tests as $name => $test) {
        $number++;
        try {
            $test();
            echo "ok $number - $name\n";
        } catch (Skip $e) {
            echo "ok $number - $name # SKIP ", $e->getMessage(), "\n";
        } catch (Throwable $e) {
            $failures++;
            $text = $e::class . ': ' . $e->getMessage() . "\n" . $e->getTraceAsString();
            echo "not ok $number - $name\n# ", str_replace("\n", "\n# ", $text), "\n";
        }
        gc_collect_cycles();
    }
    return $failures ? 1 : 0;
}

if (!extension_loaded('weir')) {
    fwrite(STDERR, "run it as: php -n -d extension=.../weir.so run.php\n");
    exit(2);
}
putenv('WEIR_SHM_DIR=' . scratch());
$status = run($argv[1] ?? '');
remove(scratch());
exit($status);
