<?php
// One element of the newest image for a web page, read where it lies. Try it: php -S 127.0.0.1:8000 page.php
header('Content-Type: application/json');
$reader = new Weir\Reader('lab/image?from=last');
$message = $reader->next(2.0, copy: false); // shows the channel until the reader's next call, or its end
if ($message === null) {
    http_response_code(503);
    exit(json_encode(['error' => 'no image for 2 seconds']));
}
$image = $message->array();
[$rows, $columns] = $image->shape;
echo json_encode(['seq' => $message->seq, 'age' => $message->age, 'middle' => $image->at($rows >> 1, $columns >> 1)]);
