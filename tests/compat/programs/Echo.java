// SPDX-License-Identifier: GPL-2.0-or-later
// Sends back what comes until the client half-closes, with a selector: Echo PORT

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

class Echo {
	static class State {
		final ByteBuffer buffer = ByteBuffer.allocateDirect(20000);
		boolean end;
	}

	static void serve(SelectionKey key) throws IOException {
		SocketChannel channel = (SocketChannel) key.channel();
		State state = (State) key.attachment();
		if (!state.end && channel.read(state.buffer) < 0) {
			state.end = true;
		}
		state.buffer.flip();
		channel.write(state.buffer);
		state.buffer.compact();
		if (state.end && state.buffer.position() == 0) {
			channel.close();
			return;
		}
		int wanted = state.buffer.position() > 0 ? SelectionKey.OP_WRITE : 0;
		if (!state.end && state.buffer.hasRemaining()) {
			wanted |= SelectionKey.OP_READ;
		}
		key.interestOps(wanted);
	}

	public static void main(String[] arguments) throws IOException {
		Selector selector = Selector.open();
		ServerSocketChannel listener = ServerSocketChannel.open();
		listener.bind(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
		listener.configureBlocking(false);
		listener.register(selector, SelectionKey.OP_ACCEPT);
		while (true) {
			selector.select();
			for (SelectionKey key : selector.selectedKeys()) {
				if (key.isAcceptable()) {
					SocketChannel channel = listener.accept();
					channel.configureBlocking(false);
					channel.register(selector, SelectionKey.OP_READ, new State());
					continue;
				}
				try {
					serve(key);
				} catch (IOException error) {
					key.channel().close();
				}
			}
			selector.selectedKeys().clear();
		}
	}
}
