// SPDX-License-Identifier: GPL-2.0-or-later
// Sends standard input, half-closes, prints what comes back: call.js PORT
const net = require('net');

const connection = net.connect({ port: Number(process.argv[2]), host: '127.0.0.1', allowHalfOpen: true });
connection.on('error', (error) => {
	console.error(error.message);
	process.exit(1);
});
process.stdin.pipe(connection).pipe(process.stdout);
