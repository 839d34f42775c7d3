<?php

/**
 * What the extension `weir` offers, for editors and static analysis. Never loaded.
 *
 * Values. PHP to weir: null, bool, int, float; a string is text when it is valid UTF-8 and bytes otherwise; a list is
 * an array; any other array and stdClass is a map; DateTimeInterface is a time; backed enums and JsonSerializable say
 * what they are. Weir to PHP: the same back; bytes as Bytes, integers beyond int as BigInt, times as DateTimeImmutable
 * in UTC, arrays of numbers as NdArray; an empty map as [].
 */

namespace Weir;

/** The latest message of a channel, without opening a reader.
 * @throws NotFoundException no such channel, or no message in it yet
 * @throws StaleException    older than $maxAge seconds */
function get(string $address, ?float $maxAge = null): Message {}

/** @param int $flags STRICT
 * @throws ParseException with ->offset */
function decode(string $bytes, string $codec = 'cbor', int $flags = 0): mixed {}

/** @param int $flags PLAIN, STRICT, CANONICAL, PRETTY, or-ed together
 * @throws EncodeException */
function encode(mixed $value, string $codec = 'cbor', int $flags = 0): string {}

/** Bytes of one codec as bytes of another. */
function convert(string $bytes, string $from, string $to, int $flags = 0): string {}

/** The channels this user can see; include/weir/directory.h says what stands in the list. */
function directory(): array {}

/** Why one channel is as it is; include/weir/directory.h says what stands there.
 * @throws NotFoundException */
function info(string $address): array {}

/** Take one channel away with its messages when nobody has it open; says what it was.
 * @throws BusyException        its sentence says who has it
 * @throws UnsupportedException a log or a pipe is a file */
function remove(string $address, bool $dryRun = false): array {}

/** Take away what the dead left; says what it was. */
function clean(bool $dryRun = false): array {}

/** The keys of the readers, servers and streams that have something to do; [] when none had within $timeout seconds.
 * @param array<Reader|Server|resource> $ends */
function wait(array $ends, ?float $timeout = null): array {}

function version(): string {}

class Writer
{
    public function __construct(string $address) {}
    /** Returns the message's seq.
     * @throws AgainException full=fail
     * @throws TimeoutException full=block */
    public function send(mixed $data = null, ?string $op = null, ?array $meta = null): int {}
    /** Data that is encoded already. @param ?string $type of raw data, as 'f64[4,256]' */
    public function sendBytes(
        string $bytes,
        string $codec,
        ?string $type = null,
        ?string $op = null,
        ?array $meta = null,
    ): int {}
    /** Many messages in one call, each encoded already; returns the last one's seq.
     * @param list<string> $bytes
     * @param ?int $sent how many went, also when it throws */
    public function sendMany(
        array $bytes,
        string $codec,
        ?string $type = null,
        ?string $op = null,
        ?array $meta = null,
        &$sent = null,
    ): int {}
    public function waitReaders(int $count, ?float $timeout = null): bool {}
    /** How long a send may wait under full=block; null for no end. */
    public function setTimeout(?float $timeout): void {}
    /** What it is now; null for no end. */
    public function timeout(): ?float {}
    /** The time of the messages from the next one on, in ns since the epoch, for what was measured before; 0 for none,
     * null for the clock's again. */
    public function setTime(?int $timeNs): void {}
    /** Until uncork() messages may be held back, to be published at once. */
    public function cork(): void {}
    public function uncork(): void {}
    public function seq(): int {}
    /** Messages that full=drop-newest threw away. */
    public function dropped(): int {}
    public function close(): void {}
}

/** foreach ($reader as $seq => $message) waits for each message and ends when the channel is taken away.
 * @implements \IteratorAggregate<int, Message> */
class Reader implements \IteratorAggregate
{
    public function __construct(string $address) {}
    /** Null when nothing came within $timeout seconds; null waits without end.
     * @param bool $copy false: the message shows the channel itself, until this reader's next call; after that it and its arrays
     *                   throw a ClosedException, and until then its writer does not get the room back */
    public function next(?float $timeout = null, bool $copy = true): ?Message {}
    /** The next messages: waits for the first, and takes those that are there with it; empty when none came in time.
     * @return list<Message> */
    public function nextMany(int $max = MANY_MAX, ?float $timeout = null): array {}
    /** The newest message, also when it was read before. */
    public function latest(bool $copy = true): ?Message {}
    /** For stream_select; then call next(0) until null. Never to be read from. @return resource */
    public function stream() {}
    /** Messages this reader has missed in all. */
    public function gaps(): int {}
    public function close(): void {}
    public function getIterator(): \Iterator {}
}

class Client
{
    public function __construct(string $address) {}
    /** What is not answered in time is taken back, so that a late reply is nobody's.
     * @throws RemoteException the server's sentence, with ->remoteCode
     * @throws TimeoutException it says whether anybody serves
     * @throws PeerException    the server died */
    public function call(string $op, mixed $data = null, ?float $timeout = 10.0, ?array $meta = null): Message {}
    /** Ask and go on; many requests may be under way. Returns the request's id, 64 bits, of which half are below zero. */
    public function send(string $op, mixed $data = null, ?array $meta = null): int {}
    /** The next reply, to any request, whose ->id says to which, or to that one. Null when it has not come in time.
     * @throws RemoteException the server's sentence, with ->id
     * @throws PeerException   the server died, with ->id */
    public function receive(?float $timeout = null, ?int $id = null): ?Message {}
    /** Take a request back; the server is told. */
    public function cancel(int $id): void {}
    /** Requests that were sent whose reply was not received. */
    public function underWay(): int {}
    /** @return resource */
    public function stream() {}
    public function close(): void {}
}

class Server
{
    /** @throws BusyException somebody serves there already */
    public function __construct(string $address) {}
    public function next(?float $timeout = null): ?Message {}
    public function reply(Message $request, mixed $data = null, ?array $meta = null): void {}
    /** The client's call throws a RemoteException. */
    public function fail(Message $request, int $code, string $sentence): void {}
    /** Has the client taken it back, or given up? For handlers that work for long. */
    public function isCancelled(Message $request): bool {}
    /** Answer with what the handler returns or throws, until nothing came for $timeout seconds; returns how many.
     * @param callable(Message): mixed $handler */
    public function serve(callable $handler, ?float $timeout = null): int {}
    /** @return resource */
    public function stream() {}
    public function close(): void {}
}

final class Message implements \JsonSerializable
{
    /** What this is or asks for; '' when the writer gave none. */
    public readonly string $op;
    /** The writer's count of its messages, from 1. */
    public readonly int $seq;
    /** When it was sent, in seconds since the epoch; null when the writer did not say. */
    public readonly ?float $time;
    public readonly int $timeNs;
    /** Seconds since then. */
    public readonly ?float $age;
    public readonly ?array $meta;
    public readonly mixed $data;
    /** Messages of that writer that this reader missed just before this one. */
    public readonly int $gap;
    public readonly int $id;
    public readonly int $writer;
    /** 'cbor', 'json', 'raw', ...; '' without data. */
    public readonly string $codec;
    /** Of raw data, as 'f64[4,256]'. */
    public readonly string $type;
    /** The data as it was encoded. */
    public readonly string $bytes;

    private function __construct() {}
    /** The message as one JSON object, {"v":1,"seq":…,"time":…,"op":…,"meta":…,"data":…}, made by the library. */
    public function json(): string {}
    /** @throws TypeException when the data is no array of numbers */
    public function array(): NdArray {}
    public function jsonSerialize(): array {}
}

/** A dense array of numbers. Its elements become PHP numbers only when asked for. */
final class NdArray implements \Countable, \IteratorAggregate, \JsonSerializable
{
    /** @var list<int> */
    public readonly array $shape;
    /** u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 */
    public readonly string $dtype;
    /** 'row': the last index moves fastest in memory; 'column': the first. */
    public readonly string $order;
    /** Elements in all. */
    public readonly int $size;
    /** The elements as they lie, in the machine's byte order; for unpack(). */
    public readonly string $bytes;

    /** @param list<int> $shape */
    public function __construct(string $dtype, array $shape, string $bytes, string $order = 'row') {}
    /** From nested lists of numbers. */
    public static function from(array $values, string $dtype = 'f64'): NdArray {}
    /** Nested lists, the first index outermost. */
    public function toArray(): array {}
    /** One number by its indices; u64 beyond int as BigInt. */
    public function at(int ...$index): mixed {}
    /** The length of the first dimension. */
    public function count(): int {}
    public function getIterator(): \Iterator {}
    /** As toArray(), with null for what JSON cannot say. */
    public function jsonSerialize(): array {}
}

/** A string that is not text. */
final class Bytes implements \Stringable, \JsonSerializable
{
    public readonly string $bytes;
    public function __construct(string $bytes) {}
    public function __toString(): string {}
    /** Base64. */
    public function jsonSerialize(): mixed {}
}

/** An integer of any size. */
final class BigInt implements \Stringable, \JsonSerializable
{
    public readonly string $digits;
    public function __construct(string $digits) {}
    public function __toString(): string {}
    public function jsonSerialize(): mixed {}
}

/** $digits x 10^$exponent. */
final class Decimal implements \Stringable, \JsonSerializable
{
    public readonly string $digits;
    public readonly int $exponent;
    public function __construct(string $digits, int $exponent) {}
    public function __toString(): string {}
    public function jsonSerialize(): mixed {}
}

/** A CBOR tag or BSON type without a kind of its own. */
final class Tagged
{
    /** TAG_CBOR, TAG_SIMPLE, TAG_BSON */
    public readonly int $space;
    public readonly int $number;
    public readonly mixed $value;
    public function __construct(int $space, int $number, mixed $value) {}
}

/** getCode() is the number of the error (ETIMEOUT, ...), getMessage() a sentence that says what, who, and the way
 * out. */
class Error extends \RuntimeException
{
    /** 'WEIR_ETIMEOUT' */
    public $name = '';
    /** errno of the system call behind it, or 0. */
    public $errno = 0;
    /** Bytes into the input, of a ParseException. */
    public $offset = 0;
}

class AgainException extends Error {}
class TimeoutException extends Error {}
class ClosedException extends Error {}
class TooBigException extends Error {}
class NotFoundException extends Error {}
class TypeException extends Error {}
/** The server answered with an error: getMessage() is its sentence. */
class RemoteException extends Error
{
    /** The server's number. */
    public $remoteCode = 0;
    /** The request's id. */
    public $id = 0;
}
class PeerException extends Error
{
    /** The id of the request that will not be answered. */
    public $id = 0;
}
class BusyException extends Error {}
class InvalidException extends Error {}
class AddressException extends Error {}
class AccessException extends Error {}
class ParseException extends Error {}
class EncodeException extends Error {}
class LimitException extends Error {}
class MemoryException extends Error {}
class SpaceException extends Error {}
class SystemException extends Error {}
class CorruptException extends Error {}
class VersionException extends Error {}
class UnsupportedException extends Error {}
class ForkedException extends Error {}
class FencedException extends Error {}
/** Of Weir\get with maxAge. */
class StaleException extends Error
{
    /** @var ?Message the message that is too old */
    public $last = null;
}
