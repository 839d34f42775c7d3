<?php
// Asks the calculator, which may be written in any language: call.php [OP [NUMBER]].
$calculator = new Weir\Client('lab/calculator');
try {
    echo $calculator->call($argv[1] ?? 'double', (float) ($argv[2] ?? 21), timeout: 5.0)->data, "\n";
} catch (Weir\RemoteException $refused) {
    fwrite(STDERR, "error {$refused->remoteCode}: {$refused->getMessage()}\n");
    exit(1);
}
