// SPDX-License-Identifier: GPL-2.0-or-later
// A TLS peer for the interoperability matrix, with Java's JSSE. Orders: see Agent in tests/lib/interop.py.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;

public class Peer {
	static final byte[] SHUTDOWN = "\nshutdown\n".getBytes(StandardCharsets.US_ASCII);

	/** A context that counts how often it was asked for a key or for trust: not at all in a resumed handshake. */
	static class Counting {
		final SSLContext context;
		final AtomicInteger asked = new AtomicInteger();

		Counting(Map<String, String> order) throws Exception {
			context = SSLContext.getInstance("TLS");
			KeyManager[] keys = null;
			if (order.containsKey("cert")) {
				KeyStore store = KeyStore.getInstance("PKCS12");
				store.load(null, null);
				Collection<? extends Certificate> chain = certificates(order.get("cert"));
				store.setKeyEntry("own", key(order.get("key")), new char[0], chain.toArray(new Certificate[0]));
				KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
				factory.init(store, new char[0]);
				keys = new KeyManager[] { new Keys((X509ExtendedKeyManager) factory.getKeyManagers()[0]) };
			}
			KeyStore anchors = KeyStore.getInstance("PKCS12");
			anchors.load(null, null);
			int number = 0;
			for (Certificate one : certificates(order.get("ca"))) {
				anchors.setCertificateEntry("ca" + number++, one);
			}
			TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
			factory.init(anchors);
			context.init(keys, new TrustManager[] { new Trust((X509ExtendedTrustManager) factory.getTrustManagers()[0]) },
				null);
		}

		class Keys extends X509ExtendedKeyManager {
			final X509ExtendedKeyManager inner;

			Keys(X509ExtendedKeyManager inner) {
				this.inner = inner;
			}

			public String[] getClientAliases(String type, Principal[] issuers) {
				return inner.getClientAliases(type, issuers);
			}

			public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
				return inner.chooseClientAlias(types, issuers, socket);
			}

			public String[] getServerAliases(String type, Principal[] issuers) {
				return inner.getServerAliases(type, issuers);
			}

			public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
				asked.incrementAndGet();
				return inner.chooseServerAlias(type, issuers, socket);
			}

			public String chooseEngineServerAlias(String type, Principal[] issuers, SSLEngine engine) {
				return inner.chooseEngineServerAlias(type, issuers, engine);
			}

			public X509Certificate[] getCertificateChain(String alias) {
				return inner.getCertificateChain(alias);
			}

			public PrivateKey getPrivateKey(String alias) {
				return inner.getPrivateKey(alias);
			}
		}

		class Trust extends X509ExtendedTrustManager {
			final X509ExtendedTrustManager inner;

			Trust(X509ExtendedTrustManager inner) {
				this.inner = inner;
			}

			public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
				throws java.security.cert.CertificateException {
				inner.checkClientTrusted(chain, type, socket);
			}

			public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
				throws java.security.cert.CertificateException {
				asked.incrementAndGet();
				inner.checkServerTrusted(chain, type, socket);
			}

			public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
				throws java.security.cert.CertificateException {
				inner.checkClientTrusted(chain, type, engine);
			}

			public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
				throws java.security.cert.CertificateException {
				inner.checkServerTrusted(chain, type, engine);
			}

			public void checkClientTrusted(X509Certificate[] chain, String type)
				throws java.security.cert.CertificateException {
				inner.checkClientTrusted(chain, type);
			}

			public void checkServerTrusted(X509Certificate[] chain, String type)
				throws java.security.cert.CertificateException {
				inner.checkServerTrusted(chain, type);
			}

			public X509Certificate[] getAcceptedIssuers() {
				return inner.getAcceptedIssuers();
			}
		}
	}

	static Collection<? extends Certificate> certificates(String path) throws Exception {
		return CertificateFactory.getInstance("X.509").generateCertificates(
			new ByteArrayInputStream(Files.readAllBytes(Path.of(path))));
	}

	static PrivateKey key(String path) throws Exception {
		String text = Files.readString(Path.of(path)).replaceAll("-----[A-Z ]+-----|\\s", "");
		PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text));
		for (String kind : new String[] { "EC", "RSA" }) {
			try {
				return KeyFactory.getInstance(kind).generatePrivate(spec);
			} catch (java.security.spec.InvalidKeySpecException other) {
				continue;
			}
		}
		return KeyFactory.getInstance("EdDSA").generatePrivate(spec);
	}

	static synchronized void say(String did, Map<String, String> words) {
		StringBuilder line = new StringBuilder("did=" + did);
		words.forEach((name, value) -> line.append('\t').append(name).append('=').append(value));
		System.out.println(line);
		System.out.flush();
	}

	static void configure(SSLSocket socket, Map<String, String> order) throws Exception {
		SSLParameters parameters = socket.getSSLParameters();
		parameters.setProtocols(new String[] { "TLSv" + order.get("version").replace("1.0", "1") });
		if (order.containsKey("suite")) {
			parameters.setCipherSuites(new String[] { order.get("suite") });
		}
		if (order.containsKey("alpn")) {
			parameters.setApplicationProtocols(order.get("alpn").split(" "));
		}
		if (order.containsKey("client")) {
			parameters.setNeedClientAuth(true);
		}
		if (order.containsKey("host")) {
			parameters.setEndpointIdentificationAlgorithm("HTTPS");
		}
		if (order.containsKey("fragment")) {
			parameters.setMaximumPacketSize(Integer.parseInt(order.get("fragment")));
		}
		socket.setSSLParameters(parameters);
		socket.setTcpNoDelay(true);
		socket.setSoTimeout(20000);
	}

	static void report(SSLSocket socket, Map<String, String> words) {
		SSLSession session = socket.getSession();
		words.put("version", session.getProtocol().equals("TLSv1") ? "1.0" : session.getProtocol().substring(4));
		words.put("suite", session.getCipherSuite());
		words.put("alpn", String.valueOf(socket.getApplicationProtocol()));
		try {
			words.put("peer", session.getPeerPrincipal().getName().replaceAll("^CN=([^,]*).*", "$1"));
		} catch (SSLPeerUnverifiedException none) {
			words.put("peer", "");
		}
	}

	static void serve(SSLSocket socket, Counting counting, Map<String, String> order) {
		Map<String, String> words = new HashMap<>();
		long size = 0;
		words.put("end", "clean");
		try (socket) {
			int before = counting.asked.get();
			configure(socket, order);
			socket.startHandshake();
			report(socket, words);
			words.put("resumed", String.valueOf(counting.asked.get() == before));
			byte[] buffer = new byte[65536];
			byte[] tail = new byte[0];
			int n;
			while ((n = socket.getInputStream().read(buffer)) >= 0) {
				size += n;
				byte[] joined = Arrays.copyOf(tail, tail.length + n);
				System.arraycopy(buffer, 0, joined, tail.length, n);
				tail = Arrays.copyOfRange(joined, Math.max(0, joined.length - SHUTDOWN.length), joined.length);
				socket.getOutputStream().write(buffer, 0, n);
				if (Arrays.equals(tail, SHUTDOWN)) {
					socket.shutdownOutput();
				}
			}
		} catch (Exception error) {
			words.put("end", error.toString());
		}
		words.put("size", String.valueOf(size));
		say("served", words);
	}

	static void listen(Map<String, String> order) {
		try {
			Counting counting = new Counting(order);
			SSLServerSocket listener = (SSLServerSocket) counting.context.getServerSocketFactory().createServerSocket();
			listener.bind(new InetSocketAddress(Integer.parseInt(order.get("port"))));
			say("listen", new HashMap<>());
			while (true) {
				SSLSocket socket = (SSLSocket) listener.accept();
				new Thread(() -> serve(socket, counting, order)).start();
			}
		} catch (Exception error) {
			say("listen", Map.of("end", error.toString()));
		}
	}

	static Counting last;

	static void connect(Map<String, String> order) throws Exception {
		byte[] text = Files.readAllBytes(Path.of(order.get("text")));
		Map<String, String> words = new HashMap<>();
		byte[] received = new byte[text.length];
		int have = 0;
		words.put("end", "clean");
		if (!order.get("resume").equals("yes")) {
			last = new Counting(order);
		}
		Socket plain = new Socket(InetAddress.getByName(order.get("host")), Integer.parseInt(order.get("port")));
		try (SSLSocket socket = (SSLSocket) last.context.getSocketFactory().createSocket(plain, "localhost",
			Integer.parseInt(order.get("port")), true)) {
			int before = last.asked.get();
			configure(socket, order);
			socket.startHandshake();
			report(socket, words);
			words.put("resumed", String.valueOf(last.asked.get() == before));
			InputStream in = socket.getInputStream();
			// In turns: JSSE's own renewal of keys does not bear a reader and a writer at once.
			for (int sent = 0, n; sent < text.length; sent += 20000) {
				int end = Math.min(text.length, sent + 20000);
				if (sent == 40000 && order.containsKey("renegotiate")) {
					socket.startHandshake();
				}
				socket.getOutputStream().write(text, sent, end - sent);
				while (have < end && (n = in.read(received, have, end - have)) >= 0) {
					have += n;
				}
			}
			if (order.get("first").equals("yes")) {
				socket.shutdownOutput();
			}
			while (in.read() >= 0) {
				have++;
			}
		} catch (Exception error) {
			words.put("end", error.toString());
		}
		words.put("size", String.valueOf(have));
		words.put("same", String.valueOf(have == text.length && Arrays.equals(text, received)));
		say("connect", words);
	}

	public static void main(String[] arguments) throws Exception {
		// What is off by default in new versions and is asked for by name.
		Security.setProperty("jdk.tls.disabledAlgorithms", "SSLv3, RC4, DES, MD5withRSA, NULL, anon");
		if (arguments.length > 0) {
			Security.setProperty("jdk.tls.keyLimits", arguments[0]);
		}
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		for (String line; (line = in.readLine()) != null;) {
			String[] words = line.split("\t");
			Map<String, String> order = new HashMap<>();
			for (int i = 1; i < words.length; i++) {
				order.put(words[i].substring(0, words[i].indexOf('=')), words[i].substring(words[i].indexOf('=') + 1));
			}
			if (words[0].equals("listen")) {
				Thread thread = new Thread(() -> listen(order));
				thread.setDaemon(true);
				thread.start();
			} else {
				connect(order);
			}
		}
		System.exit(0);
	}
}
