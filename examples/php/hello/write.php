<?php
// Sends a spectrum, 4 channels of 256 numbers, ten times a second until Ctrl-C.
$spectrum = new Weir\Writer('lab/spectrum');
for ($t = 0; ; $t++) {
    $numbers = array_map(fn(int $i) => $t * sin(0.01 * $i), range(0, 4 * 256 - 1));
    $spectrum->send(new Weir\NdArray('f64', [4, 256], pack('d*', ...$numbers)), op: 'spectrum');
    usleep(100_000);
}
