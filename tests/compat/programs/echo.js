// SPDX-License-Identifier: GPL-2.0-or-later
// Sends back what comes until the client half-closes: echo.js PORT
const net = require('net');

net.createServer({ allowHalfOpen: true }, (connection) => {
	connection.on('error', (error) => console.error(error.message));
	connection.pipe(connection);
}).listen(Number(process.argv[2]), '127.0.0.1');
