// SPDX-License-Identifier: GPL-2.0-or-later
// A TLS peer for the interoperability matrix, with Node's tls. Orders: see Agent in tests/lib/interop.py.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const readline = require('readline');
const tls = require('tls');

const GROUPS = { x25519: 'X25519', secp256r1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
const GROUP_OF = { X25519: 'x25519', prime256v1: 'secp256r1' };
const SHUTDOWN = Buffer.from('\nshutdown\n');

function say(what) {
	console.log(Object.entries(what).map(([key, value]) => `${key}=${value}`).join('\t'));
}

function options(order) {
	const version = order.version === '1.0' ? 'TLSv1' : `TLSv${order.version}`;
	const all = { minVersion: version, maxVersion: version };
	if (order.cert) {
		all.cert = fs.readFileSync(order.cert);
		all.key = fs.readFileSync(order.key);
	}
	if (order.ca) {
		all.ca = fs.readFileSync(order.ca);
	}
	if (order.suite) {
		all.ciphers = version < 'TLSv1.2' ? `${order.suite}:@SECLEVEL=0` : order.suite;
	}
	if (order.group) {
		all.ecdhCurve = order.group.split(' ').map((group) => GROUPS[group] || group).join(':');
	}
	if (order.scheme) {
		all.sigalgs = order.scheme;
	}
	if (order.alpn) {
		all.ALPNProtocols = order.alpn.split(' ');
	}
	if (order.suite && order.suite.startsWith('TLS_DHE')) {
		all.dhparam = 'auto';
	}
	if (order.tickets === 'no') {
		all.secureOptions = crypto.constants.SSL_OP_NO_TICKET;
	}
	return all;
}

function report(socket, state) {
	const peer = socket.getPeerCertificate();
	const said = {
		version: { TLSv1: '1.0' }[socket.getProtocol()] || socket.getProtocol().replace('TLSv', ''),
		suite: socket.getCipher().standardName,
		resumed: socket.isSessionReused(),
		peer: (peer && peer.subject && peer.subject.CN) || '',
		alpn: socket.alpnProtocol || '',
		size: state.size,
		same: state.same,
		end: state.error || 'clean',
	};
	const temporary = socket.getEphemeralKeyInfo && socket.getEphemeralKeyInfo();
	if (temporary && temporary.name && temporary.type === 'ECDH') {
		said.group = GROUP_OF[temporary.name] || temporary.name;
	}
	return said;
}

function listen(order) {
	const all = options(order);
	const sessions = new Map();
	all.requestCert = all.rejectUnauthorized = order.client === 'require';
	all.allowHalfOpen = true;
	const server = tls.createServer(all, (socket) => {
		const state = { size: 0, same: true };
		const said = report(socket, state);
		let tail = Buffer.alloc(0);
		let first = false;
		socket.on('data', (data) => {
			state.size += data.length;
			tail = Buffer.concat([tail, data]).subarray(-SHUTDOWN.length);
			first = tail.equals(SHUTDOWN);
			socket.write(data);
			if (first) {
				socket.end();
			}
		});
		socket.on('end', () => {
			if (!first) {
				socket.end();
			}
		});
		socket.on('error', (error) => { state.error = error.code || error.message; });
		socket.on('close', () => say({ did: 'served', ...said, size: state.size, end: state.error || 'clean' }));
	});
	if (order.tickets === 'no') {
		server.on('newSession', (id, data, done) => { sessions.set(id.toString('hex'), data); done(); });
		server.on('resumeSession', (id, done) => done(null, sessions.get(id.toString('hex')) || null));
	}
	server.on('tlsClientError', (error) => say({ did: 'served', end: error.code || error.message }));
	server.listen(Number(order.port), '::', () => say({ did: 'listen' }));
}

let session;

function connect(order) {
	const text = fs.readFileSync(order.text);
	const all = options(order);
	const state = { size: 0, same: true };
	let said;
	const half = order.renegotiate === 'yes' ? text.length >> 1 : 0;
	let renegotiated = false;
	all.host = order.host;
	all.port = Number(order.port);
	all.servername = 'localhost';
	all.allowHalfOpen = true;
	if (order.resume === 'yes') {
		all.session = session;
	}
	const socket = tls.connect(all, () => {
		said = report(socket, state);
		socket.write(half ? text.subarray(0, half) : text);
	});
	socket.on('session', (ticket) => { session = ticket; });
	socket.on('data', (data) => {
		state.same = state.same && data.equals(text.subarray(state.size, state.size + data.length));
		state.size += data.length;
		if (state.size === half && half && !renegotiated) {
			renegotiated = true;
			socket.renegotiate({}, (error) => {
				if (error) {
					state.error = error.code || error.message;
					socket.destroy();
				} else {
					socket.write(text.subarray(half));
				}
			});
		} else if (state.size === text.length && order.first === 'yes') {
			socket.end();
		}
	});
	socket.on('end', () => socket.end());
	socket.on('error', (error) => { state.error = error.code || error.message; });
	socket.on('close', () => {
		if (state.size !== text.length) {
			state.same = false;
		}
		say({ did: 'connect', ...(said || {}), size: state.size, same: state.same, end: state.error || 'clean' });
	});
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const words = line.split('\t');
	const order = {};
	for (const word of words.slice(1)) {
		const at = word.indexOf('=');
		order[word.slice(0, at)] = word.slice(at + 1);
	}
	(words[0] === 'listen' ? listen : connect)(order);
}).on('close', () => process.exit(0));
