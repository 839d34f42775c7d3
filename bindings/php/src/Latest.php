<?php
// The latest value of a shared-memory channel, as docs/spec/shm.md tells in "Reading with pread": `last`, then the
// frame, then `oldest`. In shm:// it is read with plain fopen, fseek and fread; in sysv:// with shmop (Sysv.php).
//
// What must stay true: streams are unbuffered, so that each read is a system call of its own and in the order written
// here; a frame is believed only when `oldest` has not passed it afterwards; files are followed through no link and are
// checked for kind and size; nothing in the channel is changed.

declare(strict_types=1);

namespace Weir;

/** The latest message of a channel.
 * @throws NotFoundException no such channel, or no message in it yet
 * @throws StaleException    older than $maxAge seconds */
function get(string $address, ?float $maxAge = null): Message
{
    $message = (new Latest($address))->message();
    $age = $message->age;
    if ($maxAge !== null && $age === null) {
        throw new StaleException(
            "$address: the latest message has no time; its writer should not say stamp=0",
            $message,
        );
    }
    if ($maxAge !== null && $age > $maxAge) {
        throw new StaleException(sprintf('%s: the latest message is %.3f s old, you asked for at most %.3f s; is its '
            . 'writer running?', $address, $age, $maxAge), $message);
    }
    return $message;
}

function version(): string
{
    return VERSION;
}

/** A file that is gone: the writer has moved on, so one looks again.
 * @internal */
final class Gone extends \Exception
{
}

/** Some bytes of a channel: its pages, or a segment of a lane.
 * @internal */
abstract class Part
{
    /** @param string $name for sentences */
    public function __construct(public readonly string $name, public readonly int $size)
    {
    }

    /** Bytes at $offset; fewer than asked for where the part ends. */
    abstract public function at(int $offset, int $size): string;

    /** What is read from here on is read after what was read before. */
    abstract public function fence(): void;

    /** An integer at $offset. One beyond int is negative, as unpack() gives it. */
    public function word(int $offset, string $letter): int
    {
        $bytes = $this->at($offset, $letter === 'V' ? 4 : 8);
        return strlen($bytes) < ($letter === 'V' ? 4 : 8) ? 0 : unpack($letter, $bytes)[1];
    }
}

/** Where a channel lies.
 * @internal */
interface Place
{
    /** Both pages of the channel. @throws Gone there is none */
    public function channel(): Part;

    /** Segment $generation of a lane. @throws Gone it was taken away */
    public function lane(int $lane, int $generation): Part;
}

/** An unbuffered regular file.
 * @internal */
final class File extends Part
{
    /** @var resource */
    private $stream;

    public function __construct(string $path, string $text)
    {
        $before = self::about($path);
        $isLink = $before !== false && ($before['mode'] & 0170000) === 0120000;
        // "n" is O_NONBLOCK: should somebody put a FIFO there, opening it does not wait.
        $stream = $isLink ? false : self::quietly(fn() => fopen($path, 'rn'), $problem);
        if ($stream === false) {
            $problem ??= '';
            throw match (true) {
                str_contains($problem, 'Permission denied') => new AccessException(
                    "$text is closed to you; its owner can let you in with allow=, or make it anew (weir gc first) with mode= and group="
                ),
                str_contains($problem, 'open_basedir') => new AccessException(
                    "$text: open_basedir does not let PHP read " . dirname($path)
                ),
                $before === false || str_contains($problem, 'No such file') => new Gone(),
                default => new CorruptException("$text: its file \"" . basename($path) . '" is not what it should be'),
            };
        }
        stream_set_read_buffer($stream, 0);
        $about = fstat($stream);
        $this->stream = $stream;
        if (($about['mode'] & 0170000) !== 0100000 || $about['nlink'] > 1) {
            throw new CorruptException("$text: its file \"" . basename($path) . '" is not what it should be');
        }
        parent::__construct(basename($path), $about['size']);
    }

    /** Call with warnings kept from whatever handler the page has. */
    public static function quietly(callable $call, ?string &$problem = null): mixed
    {
        set_error_handler(function (int $level, string $sentence) use (&$problem): bool {
            $problem = $sentence;
            return true;
        });
        try {
            return $call();
        } finally {
            restore_error_handler();
        }
    }

    /** lstat(), as it is now; false when there is nothing. */
    public static function about(string $path): array|false
    {
        clearstatcache(true, $path);
        return self::quietly(fn() => lstat($path));
    }

    /** The lines of a small file of the system; none when it cannot be read. */
    public static function lines(string $path): array
    {
        return self::quietly(fn() => file($path)) ?: [];
    }

    public function __destruct()
    {
        if (is_resource($this->stream)) {
            fclose($this->stream);
        }
    }

    public function at(int $offset, int $size): string
    {
        $bytes = '';
        fseek($this->stream, $offset);
        while (strlen($bytes) < $size) {
            $more = fread($this->stream, $size - strlen($bytes));
            if ($more === false || $more === '') {
                break;
            }
            $bytes .= $more;
        }
        return $bytes;
    }

    public function fence(): void
    {
        // Each read is a system call.
    }
}

/** A directory of shm://.
 * @internal */
final class Folder implements Place
{
    public function __construct(private readonly string $text, private readonly string $folder)
    {
    }

    public function channel(): Part
    {
        $about = File::about($this->folder);
        if ($about === false) {
            throw new Gone();
        }
        if (($about['mode'] & 0170000) !== 0040000) {
            throw new CorruptException("$this->text: $this->folder is no directory");
        }
        return new File("$this->folder/channel", $this->text);
    }

    public function lane(int $lane, int $generation): Part
    {
        return new File("$this->folder/lane.$lane.$generation", $this->text);
    }
}

/** One segment of a lane.
 * @internal */
final class Segment
{
    private const PAGE = 4096;
    private const NO_FRAME = -1; // 2^64 - 1
    private const TRIES = 16;
    private readonly Part $part;
    private readonly int $capacity;
    private readonly int $ring;
    public readonly int $forward;

    public function __construct(private readonly string $text, Place $place, int $lane, int $generation)
    {
        $this->part = $place->lane($lane, $generation);
        $head = $this->part->at(0, 48);
        $is = strlen($head) === 48
            ? unpack('a8magic/Vversion/Vlane/Vgeneration/Vflags/Pcapacity/Pring/Pbase', $head)
            : ['magic' => ''];
        if ($is['magic'] !== 'weirlane' || $is['version'] !== 1
            || $is['lane'] !== $lane || $is['generation'] !== $generation
            || $is['capacity'] < 65536 || $is['capacity'] & ($is['capacity'] - 1) || $is['capacity'] > 1 << 40
            || $is['ring'] < 2 * self::PAGE || $is['ring'] > 1 << 20
            || $this->part->size !== $is['ring'] + $is['capacity']) {
            throw new CorruptException("$text: {$this->part->name} is damaged");
        }
        $this->capacity = $is['capacity'];
        $this->ring = $is['ring'];
        $this->forward = $this->part->word(self::PAGE + 72, 'V');
    }

    /** The frame that `last` names; null when this segment has none. */
    public function newest(): ?string
    {
        for ($try = 0; $try < self::TRIES; $try++) {
            $last = $this->part->word(self::PAGE + 8, 'P');
            if ($last === self::NO_FRAME) {
                return null;
            }
            $at = $last & ($this->capacity - 1) & ~63;
            $head = $this->ringAt($at, 16);
            $size = strlen($head) === 16 ? unpack('V', $head)[1] : 0;
            $isPossible = $size >= 16 && $size <= intdiv($this->capacity, 2) - 64;
            // Its size is that of the copy which is handed out: the word is not read twice.
            $frame = $isPossible ? $head . $this->ringAt($at + 16, $size - 16) : '';
            $this->part->fence();
            if ($this->part->word(self::PAGE + 64, 'P') > $last) {
                continue; // overwritten while it was read
            }
            if (!$isPossible || strlen($frame) !== $size) {
                throw new CorruptException("$this->text: its newest message is damaged");
            }
            return $frame;
        }
        throw new Gone();
    }

    /** Bytes of the ring, which goes on at its beginning where it ends. */
    private function ringAt(int $at, int $size): string
    {
        $at &= $this->capacity - 1;
        $bytes = $this->part->at($this->ring + $at, min($size, $this->capacity - $at));
        return strlen($bytes) < $size ? $bytes . $this->part->at($this->ring, $size - strlen($bytes)) : $bytes;
    }
}

/** Finds the newest message of a channel.
 * @internal */
final class Latest
{
    private const PAGE = 4096;
    private const LANES = 64;
    private const TRIES = 16;
    private const OPTIONS = ['capacity', 'max', 'full', 'from', 'observe', 'readers', 'timeout', 'codec', 'stamp',
        'keep', 'create', 'exclusive', 'mode', 'group', 'wait'];
    /** The address without its options, for sentences. */
    private readonly string $text;
    private readonly Place $place;

    public function __construct(string $address)
    {
        [$place, $options] = explode('?', $address, 2) + [1 => null];
        [$scheme, $name] = str_contains($place, '://') ? explode('://', $place, 2) : ['shm', $place];
        $this->text = "$scheme://$name";
        if ($scheme !== 'shm' && $scheme !== 'sysv') {
            throw $scheme === 'unix'
                ? new UnsupportedException("$this->text: without the extension only shm:// and sysv:// can be read")
                : new AddressException("$address: there is no transport \"$scheme\"; there are: shm:// sysv://");
        }
        foreach ($options === null || $options === '' ? [] : explode('&', $options) as $option) {
            $option = explode('=', $option, 2);
            if (!isset($option[1]) || !in_array($option[0], self::OPTIONS, true)) {
                throw new AddressException("$this->text: $scheme:// has no option \"$option[0]\"; it has: "
                    . implode(' ', self::OPTIONS));
            }
        }
        $uid = $this->ownUid();
        if (preg_match('|^~([^/]+)/(.*)$|sD', $name, $part)) {
            $uid = $this->uidOf($part[1]);
            $name = $part[2];
        }
        $this->place = $scheme === 'sysv' ? $this->keyed($name, $uid) : $this->named($name, $uid);
    }

    private function keyed(string $name, int $uid): Place
    {
        $key = match (true) {
            preg_match('/^0[xX][0-9a-fA-F]{1,10}$/D', $name) === 1 => hexdec($name),
            preg_match('/^[0-9]{1,10}$/D', $name) === 1 => (int) $name,
            default => 0,
        };
        if ($key < 1 || $key > 0xffffffff) {
            throw new AddressException("$this->text: a System V channel is named by its key, a number from 1 to "
                . '4294967295 such as 24301 or 0x5eed');
        }
        return new Sysv($this->text, (int) $key, $uid);
    }

    private function named(string $name, int $uid): Place
    {
        if (strlen($name) > 200 || !preg_match('|^(?!\.)[a-z0-9._-]+(?:/(?!\.)[a-z0-9._-]+)*$|D', $name)) {
            throw new AddressException("$this->text: a channel's name is made of a-z 0-9 . _ - in parts divided by /, "
                . 'none of which begins with a dot');
        }
        $store = (getenv('WEIR_SHM_DIR') ?: '/dev/shm') . "/weir-$uid";
        $this->storeCheck($store, $uid);
        return new Folder($this->text, $store . '/' . str_replace('/', '~', $name));
    }

    private function ownUid(): int
    {
        if (function_exists('posix_geteuid')) {
            return posix_geteuid();
        }
        $status = implode('', File::lines('/proc/self/status'));
        if (!preg_match('/^Uid:\s+\d+\s+(\d+)/m', $status, $part)) {
            throw new SystemException("$this->text: the user this PHP runs as cannot be found; write ~USER/ in the address");
        }
        return (int) $part[1];
    }

    private function uidOf(string $user): int
    {
        if (preg_match('/^[0-9]{1,10}$/D', $user)) {
            return (int) $user;
        }
        $found = function_exists('posix_getpwnam') ? posix_getpwnam($user) : null;
        if ($found) {
            return $found['uid'];
        }
        foreach (File::lines('/etc/passwd') as $line) {
            $field = explode(':', $line);
            if ($field[0] === $user && isset($field[2])) {
                return (int) $field[2];
            }
        }
        throw new AddressException("$this->text: there is no user \"$user\"");
    }

    /** A store is a directory of its user alone: nobody else can put channels there. */
    private function storeCheck(string $store, int $uid): void
    {
        $about = File::about($store);
        if ($about === false) {
            throw $this->absent();
        }
        if (($about['mode'] & 0170000) !== 0040000 || $about['uid'] !== $uid || $about['mode'] & 022) {
            throw new AccessException("$store is not a directory that only user $uid may write");
        }
    }

    private function absent(): NotFoundException
    {
        return new NotFoundException("$this->text: there is no such channel; start its writer first");
    }

    public function message(): Message
    {
        // A lane that grows takes its old files away: then the table has changed, and one looks again.
        for ($try = 0; $try < self::TRIES; $try++) {
            try {
                return $this->newest();
            } catch (Gone) {
                continue;
            }
        }
        throw new CorruptException("$this->text: a segment of a lane is missing");
    }

    /** Of all lanes the frame with the greatest time; of equals the highest lane's. */
    private function newest(): Message
    {
        $best = null;
        foreach ($this->generations() as $lane => $generation) {
            $frame = $generation === 0 ? null : $this->laneNewest($lane, $generation);
            if ($frame === null) {
                continue;
            }
            $message = new Message($frame, $lane + 1);
            if ($best === null || $message->timeNs >= $best->timeNs) {
                $best = $message;
            }
        }
        return $best ?? throw new NotFoundException("$this->text: there is no message yet");
    }

    /** The newest segment of each lane, 0 for no lane. */
    private function generations(): array
    {
        try {
            $pages = $this->place->channel()->at(0, 2 * self::PAGE);
        } catch (Gone) {
            throw $this->absent();
        }
        if (strlen($pages) !== 2 * self::PAGE || !str_starts_with($pages, 'weirchan')) {
            throw new CorruptException("$this->text is no channel of weir");
        }
        if (unpack('Vversion/Vlanes', $pages, 8) !== ['version' => 1, 'lanes' => self::LANES]) {
            throw new VersionException("$this->text was made by another version of weir");
        }
        return array_values(unpack('V' . self::LANES, $pages, self::PAGE + 192));
    }

    private function laneNewest(int $lane, int $generation): ?string
    {
        $segment = new Segment($this->text, $this->place, $lane, $generation);
        // The table lags behind a writer that died while its lane grew.
        for ($try = 0; $segment->forward > $generation && $try < self::TRIES; $try++) {
            $generation = $segment->forward;
            $segment = new Segment($this->text, $this->place, $lane, $generation);
        }
        $frame = $segment->newest();
        while ($frame === null && $generation > 1) { // grown, and nothing sent since
            $frame = (new Segment($this->text, $this->place, $lane, --$generation))->newest();
        }
        return $frame;
    }
}
