<?php
// SPDX-License-Identifier: GPL-2.0-or-later
// Sends back what comes until the client half-closes, all connections in one loop: echo.php PORT

$listener = stream_socket_server("tcp://127.0.0.1:$argv[1]", $code, $message) or die($message);
$connections = [];
while (true) {
	$readable = array_merge([$listener], $connections);
	$none = null;
	if (!stream_select($readable, $none, $none, null)) {
		continue;
	}
	foreach ($readable as $stream) {
		if ($stream === $listener) {
			$connection = stream_socket_accept($listener);
			$connections[(int)$connection] = $connection;
			continue;
		}
		$data = fread($stream, 8192);
		if ($data !== '' && $data !== false) {
			while ($data !== '') {
				$data = substr($data, fwrite($stream, $data));
			}
		} elseif (feof($stream)) {
			unset($connections[(int)$stream]);
			fclose($stream);
		}
	}
}
