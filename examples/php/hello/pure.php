<?php
// The latest spectrum with or without the extension: php -n pure.php
require __DIR__ . '/../../../bindings/php/src/weir.php';
try {
    $message = Weir\get('lab/spectrum', maxAge: 2.0);
    printf("%s, %.3f s ago, %d numbers\n", $message->op, $message->age, $message->array()->size);
} catch (Weir\StaleException | Weir\NotFoundException $e) {
    fwrite(STDERR, $e->getMessage() . "\n");
    exit(1);
}
