<?php
// Prints the type and the greatest number of every spectrum, until Ctrl-C.
$spectrum = new Weir\Reader('lab/spectrum');
foreach ($spectrum as $seq => $message) {
    $numbers = $message->array();
    echo $seq, ' ', $message->type, ' ', max(array_map('max', $numbers->toArray())), "\n";
}
