<?php
// Channels in System V shared memory, looked at with PHP's own extension shmop, as docs/spec/sysv.md tells.
//
// What must stay true: what is under a key is believed only when the user whom the address names has made it, which
// shmop cannot tell and /proc/sysvipc/shm can; a lane's segment, only when its mark says that it is of this channel.
// Segments are attached read-only and left again.

declare(strict_types=1);

namespace Weir;

/** A segment that is attached.
 * @internal */
final class SharedSegment extends Part
{
    public const TAIL = 1021; // every segment is so much longer than what it holds
    private const LIST = '/proc/sysvipc/shm';
    private readonly \Shmop $memory;
    public readonly int $uid;

    public function __construct(private readonly int $key, string $name, string $text)
    {
        if (!extension_loaded('shmop')) {
            throw new UnsupportedException("$text: this PHP has no extension shmop (Debian: php-common, "
                . 'extension=shmop), which reading System V memory needs; or use the extension weir');
        }
        $before = self::about($key) ?? throw new Gone();
        $memory = File::quietly(fn() => shmop_open($key, 'a', 0, 0), $problem);
        if ($memory === false) {
            throw str_contains($problem ?? '', 'Permission denied')
                ? new AccessException("$text is closed to you; its owner can make it anew (weir gc first) with mode= and group=")
                : new Gone();
        }
        if (self::about($key) !== $before) { // another one than that which was opened
            throw new Gone();
        }
        [, $this->uid] = $before;
        $this->memory = $memory;
        parent::__construct($name, shmop_size($memory) - self::TAIL);
    }

    /** Id and maker of what has the key, as the kernel lists it; null for nothing. One that was given to another user
     * than its maker counts as nobody's. */
    public static function about(int $key): ?array
    {
        $signed = $key > 0x7fffffff ? $key - 0x100000000 : $key;
        foreach (File::lines(self::LIST) as $line) {
            // key shmid perms size cpid lpid nattch uid gid cuid cgid ...
            $field = preg_split('/\s+/', trim($line));
            if (isset($field[9]) && $field[0] === (string) $signed) {
                return [(int) $field[1], $field[7] === $field[9] ? (int) $field[9] : -1];
            }
        }
        return null;
    }

    public function at(int $offset, int $size): string
    {
        $size = max(0, min($size, $this->size - $offset));
        return $offset < 0 || $size === 0 ? '' : shmop_read($this->memory, $offset, $size);
    }

    /** shmop copies without a system call; attaching once more is one, and orders what is read around it. */
    public function fence(): void
    {
        File::quietly(fn() => shmop_open($this->key, 'a', 0, 0));
    }
}

/** A channel that has a key.
 * @internal */
final class Sysv implements Place
{
    private const PAGE = 8192;
    private const TABLE = 12288;
    private const SEGMENTS = 16;
    private const MARK = 48;
    private ?SharedSegment $channel = null;

    public function __construct(private readonly string $text, private readonly int $key, private readonly int $uid)
    {
    }

    public function channel(): Part
    {
        $channel = new SharedSegment($this->key, 'its segment', $this->text);
        if ($channel->uid !== $this->uid) {
            throw new AccessException("$this->text: this key is in use by user $channel->uid, not $this->uid; take "
                . 'another key, or write sysv://~USER/KEY if you mean that user\'s channel');
        }
        if ($channel->size !== 16384) {
            throw new CorruptException("$this->text: another program has a segment with this key");
        }
        if ($channel->word(self::PAGE, 'V') === 0) {
            throw new Gone(); // being made, or being taken away
        }
        return $this->channel = $channel;
    }

    public function lane(int $lane, int $generation): Part
    {
        $at = self::TABLE + 4 * (self::SEGMENTS * $lane + $generation % self::SEGMENTS);
        $key = $this->channel->word($at, 'V');
        if ($key === 0) {
            throw new Gone();
        }
        $segment = new SharedSegment($key, "segment $generation of lane $lane", $this->text);
        $mark = unpack('Pnumber/Vkey', str_pad($segment->at(self::MARK, 12), 12, "\0"));
        if ($mark !== ['number' => $this->channel->word(self::PAGE + 8, 'P'), 'key' => $this->key]) {
            throw new CorruptException("$this->text: $segment->name is of another channel");
        }
        if ($segment->word(16, 'V') !== $generation) {
            throw new Gone(); // an older or newer one has its place in the table
        }
        return $segment;
    }
}
