<?php
// Answers "double" until Ctrl-C; for anything else the client gets the sentence of the exception.
$server = new Weir\Server('lab/calculator');
$server->serve(fn(Weir\Message $request) => match ($request->op) {
    'double' => 2 * $request->data,
    default => throw new DomainException("no operation {$request->op} here", 42),
});
