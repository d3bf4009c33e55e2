// SPDX-License-Identifier: GPL-2.0-or-later
// Sends standard input, half-closes, prints what comes back: Call PORT

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;

class Call {
	public static void main(String[] arguments) throws Exception {
		try (Socket socket = new Socket("127.0.0.1", Integer.parseInt(arguments[0]))) {
			Thread sender = new Thread(() -> {
				try {
					System.in.transferTo(socket.getOutputStream());
					socket.shutdownOutput();
				} catch (IOException error) {
					throw new UncheckedIOException(error);
				}
			});
			sender.start();
			socket.getInputStream().transferTo(System.out);
			sender.join();
			System.out.flush();
		}
	}
}
