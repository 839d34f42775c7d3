<?php
// Prints the next message of a channel, with nothing but PHP's own streams: php -n read.php PATH.
$stream = stream_socket_client("unix://$argv[1]");
$message = json_decode(fgets($stream)); // whoever says nothing for a moment gets what is sent
echo $message->op, ' ', json_encode($message->data), "\n";
