<?php
// The pure-PHP fallback: where the extension cannot be installed, this file gives the same names for what plain PHP
// can do, which is Weir\get, the latest value of a shared-memory channel, with the message, the values and the errors
// that belong to it. With the extension loaded it does nothing, so a page may require it always.
//
// What must stay true: it is written from docs/spec/shm.md, docs/spec/sysv.md and docs/spec/frame.md alone, needs no
// extension of PHP beyond those that are always there (for sysv://, shmop), and takes no lock and leaves no trace in
// the channel.

declare(strict_types=1);

if (!extension_loaded('weir') && !function_exists('Weir\get')) {
    if (PHP_INT_SIZE < 8 || pack('S', 1) !== pack('v', 1)) {
        throw new RuntimeException('weir needs a PHP with 64-bit integers on a little-endian machine');
    }
    if (!defined('Weir\ENOENT')) {
        require __DIR__ . '/../constants.php';
    }
    require __DIR__ . '/errors.php';
    require __DIR__ . '/types.php';
    require __DIR__ . '/NdArray.php';
    require __DIR__ . '/Cbor.php';
    require __DIR__ . '/Message.php';
    require __DIR__ . '/Latest.php';
    require __DIR__ . '/Sysv.php';
}
