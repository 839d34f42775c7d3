<?php
// Writers, readers, observers, the latest value, waiting.

declare(strict_types=1);

use Weir\{NdArray, Reader, Writer};

const LIMIT = 20.0;

return [
    'a message arrives with op, meta, data and stamps' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        same(1, $w->send(['x' => 1, 'y' => 2.5], op: 'pos', meta: ['unit' => 'm']));
        $m = $r->next(LIMIT);
        same(['pos', 1, 0, 'cbor', ''], [$m->op, $m->seq, $m->gap, $m->codec, $m->type]);
        same([['x' => 1, 'y' => 2.5], ['unit' => 'm']], [$m->data, $m->meta]);
        check(abs($m->time - microtime(true)) < LIMIT, $m->time);
        check($m->age >= 0 && $m->age < LIMIT && $m->timeNs > 1e18, $m->age);
        same(['x' => 1, 'y' => 2.5], Weir\decode($m->bytes));
        same(1, $m->data['x']);
        same(null, $r->next(0));
    },
    'a lent message shows the channel until the next call of its reader' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        foreach ([1.0, 2.0, 3.0] as $number) {
            $w->send(NdArray::from([$number, -$number]), op: 'pair', meta: ['n' => $number]);
        }
        $m = $r->next(LIMIT, copy: false);
        $a = $m->array();
        $b = $m->data;
        same([1.0, -1.0], $a->toArray());
        same(['pair', 1, ['n' => 1.0], 1.0], [$m->op, $m->seq, $m->meta, $b->at(0)]);
        $kept = $a->bytes;
        $n = $r->next(LIMIT, copy: false);
        same([2.0, -2.0], $n->array()->toArray());
        foreach ([fn() => $m->op, fn() => $m->data, fn() => $m->json(), fn() => $m->array(), fn() => $a->at(0),
            fn() => $a->toArray(), fn() => $b->bytes, fn() => json_encode($a), fn() => $w->send($a), fn() => iterator_to_array($b)] as $late) {
            check(str_contains(thrown(Weir\ClosedException::class, $late)->getMessage(), 'copy: false'));
        }
        same([[2], 'f64', 2, pack('d2', 1, -1)], [$a->shape, $a->dtype, count($a), $kept]);
        same(3.0, $r->latest(copy: false)->array()->at(0));
        $last = $r->latest(copy: false);
        Weir\wait([$r], 0);
        thrown(Weir\ClosedException::class, fn() => $last->seq);
        $last = $r->latest(copy: false);
        $r->close();
        thrown(Weir\ClosedException::class, fn() => $last->seq);
        $m = (new Reader($address . '?from=last'))->next(LIMIT, copy: false);
        thrown(Weir\ClosedException::class, fn() => $m->seq);
    },
    'a reader that lends gives the room back with its next call' => function () {
        $address = shm_address() . '?capacity=64K&full=fail';
        $r = new Reader($address);
        $w = new Writer($address);
        for ($i = 1; $i <= 20; $i++) {
            $w->send(new NdArray('u8', [20000], str_repeat(chr($i), 20000)));
            same($i, $r->next(LIMIT, copy: false)->array()->at(19999));
        }
        $m = $r->next(0);
        same(null, $m);
    },
    'a message without op, meta or data has none' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        $w->send();
        $m = $r->next(LIMIT);
        same(['', null, null, ''], [$m->op, $m->meta, $m->data, $m->codec]);
        $w->send(meta: []);
        same([], $r->next(LIMIT)->meta);
        $w->sendBytes('[1,2]', 'json', op: 'ready-made');
        $m = $r->next(LIMIT);
        same(['ready-made', 'json', [1, 2]], [$m->op, $m->codec, $m->data]);
        $w->sendBytes(pack('d*', 1, 2), 'raw', 'f64[2]');
        same([1.0, 2.0], $r->next(LIMIT)->array()->toArray());
    },
    'many messages go and come in one call' => function () {
        $address = shm_address() . '?capacity=64K';
        $r = new Reader($address);
        $w = new Writer($address . '&timeout=50ms');
        same(3, $w->sendMany(['1', '2', '3'], 'json', op: 'count', meta: ['unit' => 'V'], sent: $sent));
        same(3, $sent);
        same(5, $w->sendMany([pack('d', 1), pack('d', 2)], 'raw', 'f64'));
        $got = [];
        while (count($got) < 5) {
            $some = $r->nextMany(2, LIMIT);
            check(count($some) >= 1 && count($some) <= 2, count($some));
            $got = array_merge($got, $some);
        }
        same([1, 2, 3], array_map(fn($m) => $m->data, array_slice($got, 0, 3)));
        same([1, 2, 3, 4, 5], array_map(fn($m) => $m->seq, $got));
        same(['count', ['unit' => 'V'], 'f64'], [$got[2]->op, $got[2]->meta, $got[4]->type]);
        same([], $r->nextMany(timeout: 0));
        thrown(Weir\InvalidException::class, function () use ($w, &$sent) {
            $w->sendMany([pack('d', 1), 'short'], 'raw', 'f64', sent: $sent);
        });
        same([1, 1], [$sent, count($r->nextMany(timeout: LIMIT))]);
        thrown(Weir\TimeoutException::class, function () use ($w, &$sent) {
            $w->sendMany(array_fill(0, 200, str_pad('7', 1000)), 'json', sent: $sent);
        });
        check($sent > 10 && $sent < 200, $sent);
        for ($count = 0; $some = $r->nextMany(timeout: 0); $count += count($some));
        same($sent, $count);
        thrown(\TypeError::class, fn() => $w->sendMany(['1', 2], 'json'));
        thrown(\ValueError::class, fn() => $r->nextMany(0));
    },
    'raw structs are maps' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        $type = '{t: i64, accel: f64[3], p: {x: f32, y: i16}[2]}';
        $bytes = pack('qd3', 7, 1, 2, 3) . pack('fsx2fsx2', 0.5, -1, 1.5, -2);
        $w->sendBytes($bytes, 'raw', '{t:i64,accel:f64[3],p:{x:f32,y:i16}[2]}', op: 'reading');
        $m = $r->next(LIMIT);
        same(['reading', 'raw', $type, $bytes], [$m->op, $m->codec, $m->type, $m->bytes]);
        same(['t', 'accel', 'p'], array_keys($m->data));
        same([7, [['x' => 0.5, 'y' => -1], ['x' => 1.5, 'y' => -2]]], [$m->data['t'], $m->data['p']]);
        same([1.0, 2.0, 3.0], $m->data['accel']->toArray());
        check(str_contains($m->json(), '"data":{"t":7,"accel":[1.0,2.0,3.0],"p":[{"x":0.5,"y":-1}'), $m->json());
        thrown(Weir\TypeException::class, fn() => $m->array());
        thrown(Weir\InvalidException::class, fn() => $w->sendBytes('x', 'raw', $type));
    },
    'a writer gives messages another time' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address . '?timeout=1.5s');
        $w->setTime(1_700_000_000_123_456_789);
        $w->send(1);
        $w->setTime(0);
        $w->send(2);
        $w->setTime(null);
        $w->send(3);
        same(1_700_000_000_123_456_789, $r->next(LIMIT)->timeNs);
        $m = $r->next(LIMIT);
        same([null, null], [$m->time, $m->age]);
        check($r->next(LIMIT)->age < LIMIT);
        same(1.5, $w->timeout());
        $w->setTimeout(null);
        same(null, $w->timeout());
        $w->close();
        thrown(Weir\ClosedException::class, fn() => $w->setTime(1));
    },
    'a channel is explained, and removed when nobody has it' => function () {
        $address = shm_address();
        thrown(Weir\NotFoundException::class, fn() => Weir\info($address));
        $w = new Writer($address);
        $w->send(1);
        $info = Weir\info($address);
        same(['live', 1, getmypid()], [$info['state'], count($info['lanes']), $info['lanes'][0]['pid']]);
        $busy = thrown(Weir\BusyException::class, fn() => Weir\remove($address));
        check(str_contains($busy->getMessage(), (string) getmypid()));
        $w->close();
        same(1, count(Weir\remove($address, dryRun: true)));
        same(1, Weir\get($address)->data);
        same('idle channel', Weir\remove($address)[0]['what']);
        thrown(Weir\NotFoundException::class, fn() => Weir\get($address));
        thrown(Weir\UnsupportedException::class, fn() => Weir\remove('file:///tmp/a.weir'));
    },
    'json() is the message for a page' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        $w->send(['v' => NdArray::from([[1, 2], [3, 4]])], op: 'spectrum');
        $m = $r->next(LIMIT);
        $page = json_decode($m->json(), true);
        same([1, 1, 'spectrum', null], [$page['v'], $page['seq'], $page['op'], $page['meta']]);
        check($page['data']['v'] == [[1, 2], [3, 4]], $page);
        same($m->timeNs, $page['time']);
        same(['seq' => 1, 'time' => $m->time, 'gap' => 0, 'op' => 'spectrum'], array_slice($m->jsonSerialize(), 0, 4));
        check(str_contains(json_encode($m), '"data":{"v":[[1'), json_encode($m));
    },
    'a message is only read' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $w->send(['a' => ['b' => 1]]);
        $m = Weir\get($address);
        check(isset($m->data) && isset($m->data['a']['b']) && !isset($m->meta) && !isset($m->nothing));
        check(empty($m->gap) && !empty($m->seq));
        $change = function () use ($m) {
            $m->data['a'] = 1;
        };
        $remove = function () use ($m) {
            unset($m->op);
        };
        $copies = [fn() => clone $m, fn() => serialize($m), fn() => new Weir\Message()];
        foreach ([$change, $remove, fn() => $m->op = 'x', ...$copies] as $action) {
            try {
                $action();
                throw new Failure('it was changed');
            } catch (Error | Exception $e) {
                check(!$e instanceof Failure, $e->getMessage());
            }
        }
        same(['a' => ['b' => 1]], $m->data);
        ob_start();
        var_dump($m);
        check(str_contains(ob_get_clean(), '["seq"]'));
    },
    'arrays are one copy away from the channel' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        $w->send(new NdArray('f64', [2, 2], pack('d*', 1, 2, 3, 4)));
        $m = $r->next(LIMIT);
        $array = $m->array();
        same(['raw', 'f64[2,2]', [2, 2]], [$m->codec, $m->type, $array->shape]);
        check($m->data instanceof NdArray);
        unset($m);
        $w->send('other');
        thrown(Weir\TypeException::class, fn() => $r->next(LIMIT)->array());
        same([[1.0, 2.0], [3.0, 4.0]], $array->toArray());
    },
    'foreach follows a reader and ends when it is closed' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        $w->cork();
        for ($i = 0; $i < 5; $i++) {
            $w->send($i);
        }
        $w->uncork();
        $seen = [];
        foreach ($r as $seq => $m) {
            $seen[$seq] = $m->data;
            if ($m->data === 4) {
                $r->close();
            }
        }
        same([1 => 0, 2 => 1, 3 => 2, 4 => 3, 5 => 4], $seen);
        thrown(Weir\ClosedException::class, fn() => $r->next(0));
        same([], iterator_to_array($r));
    },
    'get is the latest value, and knows when it is stale' => function () {
        $address = shm_address();
        $e = thrown(Weir\NotFoundException::class, fn() => Weir\get($address));
        check($e instanceof Weir\Error && $e instanceof RuntimeException);
        same([Weir\ENOENT, 'WEIR_ENOENT'], [$e->getCode(), $e->name]);
        $w = new Writer($address);
        $w->send(1);
        $w->send(2);
        unset($w);
        same(2, Weir\get($address)->data);
        same(2, Weir\get($address, maxAge: 20.0)->data);
        $e = thrown(Weir\StaleException::class, fn() => Weir\get($address, maxAge: 0.0));
        same([Weir\ETIMEOUT, 2], [$e->getCode(), $e->last->data]);
        check(str_contains($e->getMessage(), 's old'), $e->getMessage());
        $unstamped = shm_address() . '?stamp=0';
        (new Writer($unstamped))->send(3);
        same([null, null], [Weir\get($unstamped)->time, Weir\get($unstamped)->age]);
        thrown(Weir\StaleException::class, fn() => Weir\get($unstamped, 5.0));
    },
    'a reader finds the latest again and again' => function () {
        $address = shm_address();
        $r = new Reader($address . '?observe=1');
        same(null, $r->latest());
        $w = new Writer($address);
        $w->send('a');
        $w->send('b');
        same(['b', 'b', null], [$r->latest()->data, $r->latest()->data, $r->next(0)]);
    },
    'an observer is overtaken and told so' => function () {
        $address = shm_address() . '?capacity=64K';
        $r = new Reader($address . '&observe=1');
        $w = new Writer($address);
        for ($i = 0; $i < 40; $i++) {
            $w->send(str_repeat('x', 8000));
        }
        $received = $missed = 0;
        while ($m = $r->next(0.05)) {
            $received++;
            $missed += $m->gap;
        }
        check($received > 0 && $missed > 0 && $received + $missed === 40, [$received, $missed]);
        same($missed, $r->gaps());
    },
    'a full channel does what its address says' => function () {
        $address = shm_address() . '?capacity=64K';
        $r = new Reader($address);
        $fill = function (Writer $w) {
            for ($i = 0; $i < 100; $i++) {
                $w->send(str_repeat('x', 20000));
            }
        };
        thrown(Weir\AgainException::class, fn() => $fill(new Writer($address . '&full=fail')));
        $w = new Writer($address);
        $w->setTimeout(0.25);
        $before = hrtime(true);
        thrown(Weir\TimeoutException::class, fn() => $fill($w));
        check(hrtime(true) - $before >= 250_000_000);
        unset($r);
        $dropping = new Writer($address . '&full=drop-newest');
        $r = new Reader($address);
        $fill($dropping);
        check($dropping->dropped() > 0, $dropping->dropped());
    },
    'bad addresses are refused with the sentence of the library' => function () {
        $e = thrown(Weir\AddressException::class, fn() => new Reader('shm://a?colour=red'));
        check(str_contains($e->getMessage(), 'colour'), $e->getMessage());
        thrown(Weir\AddressException::class, fn() => new Writer('carrier-pigeon://a'));
        thrown(Weir\NotFoundException::class, fn() => new Reader(shm_address() . '?create=0'));
        thrown(ValueError::class, fn() => new Reader("a\0b"));
        thrown(ArgumentCountError::class, fn() => new Reader());
    },
    'an end that is not open says so' => function () {
        $class = new class ('x') extends Writer {
            public function __construct(string $address)
            {
            }
        };
        thrown(Weir\ClosedException::class, fn() => $class->send(1));
        $w = new Writer(shm_address());
        thrown(Error::class, fn() => $w->__construct(shm_address()));
        $w->close();
        $w->close();
        thrown(Weir\ClosedException::class, fn() => $w->seq());
    },
    'a stream tells stream_select that something is there' => function () {
        foreach ([shm_address(), unix_address()] as $address) {
            $w = new Writer($address);
            $r = new Reader($address);
            check($w->waitReaders(1, LIMIT));
            $stream = $r->stream();
            same(null, $r->next(0));
            $read = [$stream];
            $write = $except = null;
            same(0, stream_select($read, $write, $except, 0));
            $other = start(function () use ($address) {
                $w = new Writer($address);
                $w->waitReaders(1, LIMIT);
                $w->send('from afar');
                $w->close();
                return 0;
            });
            $read = [$stream];
            same(1, stream_select($read, $write, $except, 20));
            same('from afar', $r->next(LIMIT)->data);
            same(0, finish($other));
            fclose($stream);
            $w->send('still open');
            same('still open', $r->next(LIMIT)->data);
        }
    },
    'many are waited for at once' => function () {
        $first = shm_address();
        $second = shm_address();
        [$near, $far] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        $ends = ['a' => new Reader($first), 'b' => new Reader($second), 'socket' => $near];
        same([], Weir\wait($ends, 0));
        (new Writer($second))->send(1);
        same(['b'], Weir\wait($ends, LIMIT));
        same(1, $ends['b']->next(0)->data);
        fwrite($far, 'x');
        same(['socket'], Weir\wait($ends, LIMIT));
        thrown(TypeError::class, fn() => Weir\wait([1], 0));
    },
    'a long wait lets signals through' => function () {
        $r = new Reader(shm_address());
        $handled = 0;
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, function () use (&$handled) {
            $handled++;
        });
        pcntl_alarm(1);
        same(null, $r->next(1.5));
        same(1, $handled);
        pcntl_signal(SIGALRM, function () {
            throw new DomainException('enough');
        });
        pcntl_alarm(1);
        thrown(DomainException::class, fn() => $r->next());
        pcntl_signal(SIGALRM, fn() => $r->close());
        pcntl_alarm(1);
        thrown(Weir\ClosedException::class, fn() => $r->next());
        pcntl_signal(SIGALRM, SIG_DFL);
        pcntl_async_signals(false);
    },
    'a child must open its own ends' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $w->send('parent');
        same(3, finish(start(function () use ($w, $address) {
            $e = thrown(Weir\ForkedException::class, fn() => $w->send('child'));
            return Weir\get($address)->data === 'parent' && $e->name === 'WEIR_EFORKED' ? 3 : 4;
        })));
        $w->send('still the parent');
        same('still the parent', Weir\get($address)->data);
    },
    'a writer that is killed leaves its latest value' => function () {
        $address = shm_address();
        $pid = start(function () use ($address) {
            $w = new Writer($address);
            $w->send(['beat' => 1]);
            $w->waitReaders(9);
        });
        eventually(function () use ($address) {
            try {
                return Weir\get($address)->data === ['beat' => 1];
            } catch (Weir\NotFoundException) {
                return false;
            }
        });
        exec("kill -9 $pid");
        same(-1, finish($pid));
        same(['beat' => 1], Weir\get($address)->data);
        $w = new Writer($address);
        same(2, $w->send(['beat' => 2]));
    },
    'the directory shows open ends' => function () {
        $address = shm_address();
        $w = new Writer($address);
        $w->send(1);
        $found = array_filter(Weir\directory(), fn(array $channel) => $channel['address'] === $address);
        same(1, count($found));
        $channel = reset($found);
        same(['live', 'writer'], [$channel['state'], $channel['ends'][0]['role']]);
        same('array', gettype(Weir\clean(dryRun: true)));
    },
    'loops leak nothing' => function () {
        $address = shm_address();
        $r = new Reader($address);
        $w = new Writer($address);
        $array = NdArray::from([1.0, 2.0, 3.0]);
        $round = function () use ($r, $w, $address, $array) {
            $w->send(['a' => [1, 'text', 2.5], 'b' => $array, 'c' => new Weir\Bytes('x'), 't' => new DateTime()],
                op: 'x', meta: ['unit' => 'V']);
            $m = $r->next(LIMIT);
            $kept = [$m->data, $m->meta, $m->json(), $m->age, $m->data['b']->bytes];
            $w->send($array);
            $r->next(LIMIT)->array()->toArray();
            Weir\get($address)->data->toArray();
            iterator_to_array($array);
            try {
                $r->next(0)?->data;
                Weir\decode('[', 'json');
            } catch (Weir\ParseException) {
            }
        };
        for ($i = 0; $i < 200; $i++) {
            $round();
        }
        gc_collect_cycles();
        $php = memory_get_usage();
        $resident = resident_kib();
        for ($i = 0; $i < 5000; $i++) {
            $round();
        }
        gc_collect_cycles();
        check(memory_get_usage() - $php < 4096, memory_get_usage() - $php);
        check(resident_kib() - $resident < 1024, resident_kib() - $resident);
    },
];

/** Memory of this process that neither PHP nor the channel's pages account for: private and not backed by a file. */
function resident_kib(): int
{
    preg_match('/^RssAnon:\s+(\d+) kB/m', file_get_contents('/proc/self/status'), $found);
    return (int) $found[1];
}
