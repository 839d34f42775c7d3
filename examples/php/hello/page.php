<?php
// The latest spectrum for a web page, without a daemon and without waiting. Try it: php -S 127.0.0.1:8000 page.php
header('Content-Type: application/json');
try {
    echo Weir\get('lab/spectrum', maxAge: 2.0)->json();
} catch (Weir\StaleException | Weir\NotFoundException $e) {
    http_response_code(503);
    echo json_encode(['error' => $e->getMessage()]);
}
