<?php
// SPDX-License-Identifier: GPL-2.0-or-later
// Sends standard input, half-closes, prints what comes back: call.php PORT

$connection = stream_socket_client("tcp://127.0.0.1:$argv[1]", $code, $message, 20) or die($message);
stream_set_blocking($connection, false);
$out = stream_get_contents(STDIN);
$open = true;
while (!feof($connection)) {
	$readable = [$connection];
	$writable = $open ? [$connection] : null;
	$none = null;
	stream_select($readable, $writable, $none, 20) or die('nothing happens');
	if ($writable) {
		$out = substr($out, fwrite($connection, substr($out, 0, 40000)));
		if ($out === '') {
			stream_socket_shutdown($connection, STREAM_SHUT_WR);
			$open = false;
		}
	}
	if ($readable) {
		fwrite(STDOUT, fread($connection, 30000));
	}
}
