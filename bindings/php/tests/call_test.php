<?php
// Clients and servers, each in a process of its own where they must run at the same time.

declare(strict_types=1);

use Weir\{Client, Server};

/** A server in another process, which stop() ends. */
function serving(string $address): int
{
    return start(fn() => (new Server($address))->serve(fn(Weir\Message $request) => match ($request->op) {
        'double' => 2 * $request->data,
        'echo' => $request->data,
        'nothing' => null,
        'crash' => throw new LogicException('it went wrong'),
        default => throw new DomainException("no operation {$request->op} here", 42),
    }, 20.0));
}

function stop(int $pid): void
{
    exec("kill -9 $pid");
    finish($pid);
}

return [
    'a call is answered' => function () {
        foreach ([shm_address(), unix_address()] as $address) {
            $pid = serving($address);
            $client = new Client($address);
            same(42, $client->call('double', 21, timeout: 20.0)->data);
            $data = ['list' => [1, 2.5, null], 'text' => 'zwölf'];
            same($data, $client->call('echo', $data, timeout: 20.0, meta: ['who' => 'me'])->data);
            same(null, $client->call('nothing', timeout: 20.0)->data);
            stop($pid);
        }
    },
    'what a handler throws reaches the client' => function () {
        $address = shm_address();
        $pid = serving($address);
        $client = new Client($address);
        $e = thrown(Weir\RemoteException::class, fn() => $client->call('halve', 1, timeout: 20.0));
        same([Weir\EREMOTE, 42, 'no operation halve here'], [$e->getCode(), $e->remoteCode, $e->getMessage()]);
        $e = thrown(Weir\RemoteException::class, fn() => $client->call('crash', timeout: 20.0));
        same([-1, 'it went wrong'], [$e->remoteCode, $e->getMessage()]);
        // A TypeError over there.
        $e = thrown(Weir\RemoteException::class, fn() => $client->call('double', [], timeout: 20.0));
        same(-1, $e->remoteCode);
        same(4, $client->call('double', 2, timeout: 20.0)->data);
        stop($pid);
    },
    'nobody serves is a timeout that says so' => function () {
        $client = new Client(shm_address());
        $e = thrown(Weir\TimeoutException::class, fn() => $client->call('double', 1, timeout: 0.05));
        check(str_contains($e->getMessage(), 'nobody serves'), $e->getMessage());
    },
    'one server per address' => function () {
        $address = shm_address();
        $server = new Server($address);
        thrown(Weir\BusyException::class, fn() => new Server($address));
        same(null, $server->next(0));
        same(0, $server->serve(fn() => null, 0.0));
    },
    'a call in its halves, answered later' => function () {
        $address = shm_address();
        $server = new Server($address);
        $client = new Client($address);
        $client->send('sum', [1, 2, 3], meta: ['id' => 7]);
        same(null, $client->receive(0));
        same([0], Weir\wait([$server], 20.0));
        $request = $server->next(20.0);
        same(['sum', [1, 2, 3], ['id' => 7]], [$request->op, $request->data, $request->meta]);
        check($request->id !== 0);
        same(null, $server->next(0));
        $server->reply($request, array_sum($request->data), meta: ['by' => 'php']);
        $reply = $client->receive(20.0);
        same([6, ['by' => 'php']], [$reply->data, $reply->meta]);
        thrown(Weir\InvalidException::class, fn() => $client->receive(0));
    },
    'many requests are under way' => function () {
        foreach ([shm_address(), unix_address()] as $address) {
            $pid = serving($address);
            $client = new Client($address);
            $left = [];
            for ($i = 0; $i < 50; $i++) {
                $left[$client->send('double', $i)] = 2 * $i;
            }
            same([50, 50], [count($left), $client->underWay()]);
            $id = array_keys($left)[30];
            $reply = $client->receive(20.0, $id);
            same([60, $id], [$reply->data, $reply->id]);
            thrown(Weir\InvalidException::class, fn() => $client->receive(0, $id));
            same(200, $client->call('double', 100, timeout: 20.0)->data);
            unset($left[$id]);
            while ($left) {
                $reply = $client->receive(20.0);
                same($left[$reply->id], $reply->data);
                unset($left[$reply->id]);
            }
            $refused = $client->send('halve', 1);
            $e = thrown(Weir\RemoteException::class, fn() => $client->receive(20.0));
            same([42, $refused, 0], [$e->remoteCode, $e->id, $client->underWay()]);
            $e = thrown(Weir\RemoteException::class, fn() => $client->call('halve', 1, timeout: 20.0));
            check($e->id !== 0 && $e->id !== $refused, $e->id);
            thrown(ValueError::class, fn() => $client->receive(0, 0));
            stop($pid);
        }
    },
    'a server that dies is told for each' => function () {
        $address = unix_address();
        $pid = serving($address);
        $client = new Client($address);
        same(2, $client->call('double', 1, timeout: 20.0)->data);
        exec("kill -STOP $pid");
        $ids = [$client->send('double', 1), $client->send('double', 2)];
        stop($pid);
        foreach ($ids as $id) {
            same($id, thrown(Weir\PeerException::class, fn() => $client->receive(20.0))->id);
        }
        same(0, $client->underWay());
    },
    'a late reply is nobody else\'s' => function () {
        $address = shm_address();
        $server = new Server($address);
        $client = new Client($address);
        $first = $client->send('first');
        $late = $server->next(20.0);
        thrown(Weir\TimeoutException::class, fn() => $client->call('second', timeout: 0.01));
        same(1, $client->underWay());
        $second = $server->next(20.0);
        same(['second', false], [$second->op, $server->isCancelled($late)]);
        eventually(fn() => $server->isCancelled($second));
        $server->reply($second, 'too late');
        $third = $client->send('third');
        $server->reply($late, 'the first');
        $server->reply($server->next(20.0), 'the third');
        same('the third', $client->receive(20.0, $third)->data);
        $reply = $client->receive(20.0);
        same(['the first', $first], [$reply->data, $reply->id]);
    },
    'a request is taken back' => function () {
        $address = shm_address();
        $server = new Server($address);
        $client = new Client($address);
        [$first, $second] = [$client->send('a', 1), $client->send('b', 2)];
        $request = $server->next(20.0);
        same([$first, false], [$request->id, $server->isCancelled($request)]);
        $client->cancel($first);
        thrown(Weir\InvalidException::class, fn() => $client->cancel($first));
        eventually(fn() => $server->isCancelled($request));
        $server->reply($request, 'in vain');
        $request = $server->next(20.0);
        same([$second, false], [$request->id, $server->isCancelled($request)]);
        $server->reply($request, 'b');
        same(['b', 0], [$client->receive(20.0)->data, $client->underWay()]);
        $client->close();
        $server->close();
        foreach ([fn() => $client->underWay(), fn() => $client->cancel($first), fn() => $client->receive(0),
            fn() => $server->isCancelled($request)] as $use) {
            thrown(Weir\ClosedException::class, $use);
        }
    },
    'a call that a signal interrupts is taken back' => function () {
        $address = shm_address();
        $server = new Server($address);
        $client = new Client($address);
        pcntl_async_signals(true);
        pcntl_signal(SIGALRM, fn() => throw new LogicException('it rang'));
        pcntl_alarm(1);
        try {
            thrown(LogicException::class, fn() => $client->call('wait', timeout: 20.0));
        } finally {
            pcntl_alarm(0);
            pcntl_signal(SIGALRM, SIG_DFL);
        }
        same(0, $client->underWay());
        $request = $server->next(20.0);
        eventually(fn() => $server->isCancelled($request));
    },
    'a refusal is sent in so many words' => function () {
        $address = unix_address();
        $server = new Server($address);
        $client = new Client($address);
        $client->send('open', 'the pod bay doors');
        $request = $server->next(20.0);
        thrown(ValueError::class, fn() => $server->fail($request, 1 << 40, 'no'));
        thrown(TypeError::class, fn() => $server->reply('no message'));
        $server->fail($request, 9000, 'I am afraid I cannot do that');
        $e = thrown(Weir\RemoteException::class, fn() => $client->receive(20.0));
        same([9000, 'I am afraid I cannot do that'], [$e->remoteCode, $e->getMessage()]);
    },
    'exit in a handler is not answered' => function () {
        $address = shm_address();
        $pid = start(function () use ($address) {
            $server = new Server($address);
            register_shutdown_function(fn() => pcntl_exec('/bin/sh', ['-c', 'exit 5']));
            $server->serve(fn() => exit(5), 20.0);
            return 6;
        });
        $client = new Client($address);
        try {
            $client->call('leave', timeout: 20.0);
            throw new Failure('it was answered');
        } catch (Weir\PeerException $e) {
            check(str_contains($e->getMessage(), 'died'), $e->getMessage());
        }
        same(5, finish($pid));
    },
];
