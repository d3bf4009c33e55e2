# SPDX-License-Identifier: GPL-2.0-or-later
"""What the files of the interoperability matrix share: tables, the wrapped programs, peers' processes, TAP.

A file of the matrix declares rows and calls main(). A row is a generator function that does one conversation after the
other with a peer and yields after each; every yield is one test. What is under test is the product: talk.py, wrapped
by `tlshim run`, once as a server with a listener for each rule, once as a client with an address for each rule.

    INTEROP_ONLY=REGEX   only tests whose title matches
    INTEROP_TIMES=1      say how long each row took
"""

import atexit
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from typing import NamedTuple

import talk

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
PKI = BUILD / "pki"
PEERS = ROOT / "tests" / "interop" / "peers"
SECONDS = int(os.environ.get("INTEROP_SECONDS", "20"))

PAYLOAD = talk.payload(80000)
PAYLOAD_SHUTDOWN = talk.payload(80000, b"shutdown")
REPLY = talk.payload(70000, b"stop")

# What the engine has still to learn: rows that need it are not run, unless INTEROP_ALL is set.
PENDING = set(os.environ.get("INTEROP_PENDING", "").split())

# ---- what there is ----

VERSIONS = ("1.3",) if "tls12" in PENDING else ("1.3", "1.2")
# A conversation in full, and one that resumes its session.
PHASES = (False,) if "resumption" in PENDING else (False, True)


class Suite(NamedTuple):
    """A cipher suite, by the parts of its name."""

    code: int
    name: str
    exchange: str  # ECDHE, DHE, RSA; "" in TLS 1.3
    auth: str  # ECDSA, RSA; "" in TLS 1.3
    cipher: str  # AES_128_GCM
    digest: str  # SHA256


def suite(code, name):
    exchange = auth = ""
    rest = name[4:]
    if "_WITH_" in rest:
        exchange, rest = rest.split("_WITH_")
        exchange, _, auth = exchange.partition("_")
        auth = auth or exchange
    cipher, _, digest = rest.rpartition("_")
    return Suite(code, name, exchange, auth, cipher, digest)


SUITES_13 = [
    suite(0x1301, "TLS_AES_128_GCM_SHA256"),
    suite(0x1302, "TLS_AES_256_GCM_SHA384"),
    suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
]
SUITES_12 = [
    suite(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    suite(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    suite(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    suite(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    suite(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    suite(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
]
SUITES_LEGACY = [
    suite(0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    suite(0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    suite(0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    suite(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    suite(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    suite(0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    suite(0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    suite(0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    suite(0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    suite(0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    suite(0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    suite(0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    suite(0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    suite(0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    suite(0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    suite(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    suite(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    suite(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    suite(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    suite(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    suite(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
]
SUITE = {one.name: one for one in SUITES_13 + SUITES_12 + SUITES_LEGACY}

GROUPS = ["x25519", "secp256r1", "secp384r1", "secp521r1"]

# The certificate that a signature scheme needs.
SCHEMES_13 = {
    "ecdsa_secp256r1_sha256": "server",
    "ecdsa_secp384r1_sha384": "server-p384",
    "ed25519": "server-ed25519",
    "rsa_pss_rsae_sha256": "rsa-both",
    "rsa_pss_rsae_sha384": "rsa3072-both",
    "rsa_pss_rsae_sha512": "rsa4096-both",
}
SCHEMES_12 = {
    **SCHEMES_13,
    "rsa_pkcs1_sha256": "rsa-both",
    "rsa_pkcs1_sha384": "rsa-both",
    "rsa_pkcs1_sha512": "rsa-both",
}
CLIENTS = ["client", "client-p384", "client-ed25519", "client-rsa"]


class Want(NamedTuple):
    """What a conversation is to come to; "" where it is not of interest."""

    version: str = "1.3"
    suite: str = "TLS_AES_128_GCM_SHA256"
    group: str = "x25519"
    cert: str = "server"
    scheme: str = ""
    client: str = ""  # its certificate

    def auth(self):
        return "RSA" if "rsa" in self.cert else "ECDSA"


def base(version, cert="server", **other):
    """A conversation in which everything is as usual."""
    name = "TLS_AES_128_GCM_SHA256"
    if version == "1.2":
        name = f"TLS_ECDHE_{'RSA' if 'rsa' in cert else 'ECDSA'}_WITH_AES_128_GCM_SHA256"
    return Want(version=version, suite=name, cert=cert, **other)


def as_they_like(version, cert="server", **other):
    """A conversation whose suite and group are settled by the two sides."""
    return base(version, cert, **other)._replace(suite="", group="")


def variations(version, suites=None, groups=GROUPS, schemes=None, certs=(), clients=CLIENTS):
    """Each suite, each group, each kind of signature, each client certificate: (what varies, Want)."""
    for one in SUITES_13 if version == "1.3" else SUITES_12:
        cert = "rsa-both" if one.auth == "RSA" else "server"
        if suites is None or one.name in suites:
            yield one.name, base(version, cert)._replace(suite=one.name)
    for group in groups:
        if group != "x25519":
            yield group, base(version, "server" if version == "1.3" else "rsa-both", group=group)
    for scheme, cert in (SCHEMES_13 if version == "1.3" else SCHEMES_12).items():
        if schemes is None or scheme in schemes:
            yield scheme, base(version, cert, scheme=scheme)
    for cert in certs:
        yield f"server certificate {cert}", base(version, cert)
    for client in clients:
        yield f"client certificate {client}", base(version, client=client)


# The loud opt-in for everything old.
LEGACY = ("profile legacy", "versions 1.0-1.3")


def legacy_variations():
    """Each suite of the legacy profile in TLS 1.2; one for each key exchange in TLS 1.0 and 1.1."""
    for one in SUITES_LEGACY:
        cert = "rsa-both" if one.auth == "RSA" else "server"
        group = "x25519" if one.exchange == "ECDHE" else ""
        yield base("1.2", cert)._replace(suite=one.name, group=group)
        if one.cipher.endswith("CBC") and one.digest == "SHA":
            yield base("1.1", cert)._replace(suite=one.name, group=group)
            yield base("1.0", cert)._replace(suite=one.name, group=group)


def groups_of(want):
    """The groups to offer, the wanted one first: up to TLS 1.2 they stand for the certificates' curves too."""
    groups = [want.group] if want.group else []
    if want.version < "1.3" and groups:
        for name in want.cert, want.client:
            curve = {"server": "secp256r1", "client": "secp256r1", "server-p384": "secp384r1", "client-p384": "secp384r1",
                     "long-chain": "secp256r1"}.get(name)  # fmt: skip
            if curve and curve not in groups:
                groups.append(curve)
    return groups


class Failure(Exception):
    """A test that has failed, and why."""


def fail(text):
    raise Failure(text)


def check_one(who, got, want, resumed):
    for key in ("version", "suite", "group", "scheme"):
        expected = getattr(want, key)
        if expected and key in got and got[key] != expected and not (key == "scheme" and resumed):
            fail(f"{who} says {key} {got[key]}, expected {expected}")
    if "resumed" in got and got["resumed"] != resumed:
        fail(f"{who} says resumed: {got['resumed']}, expected {resumed}")
    if "client" in got and got["client"] != want.client:
        fail(f"{who} says client certificate {got['client']!r}, expected {want.client!r}")


def check(name, theirs, ours, want, resumed):
    """What the sides say of a conversation, all they know: version, suite, group, scheme, client, resumed."""
    check_one(name, theirs, want, resumed)
    check_one("our log", ours, want, resumed)
    for key in ("version", "suite", "group"):
        if key in theirs and key in ours and theirs[key] != ours[key]:
            fail(f"{name} says {key} {theirs[key]}, our log {ours[key]}")


# ---- processes ----

running = []
last_words = []  # of those that were there when a row failed


class Process:
    """A process with pipes; what it says is collected in out and err."""

    def __init__(self, *command, env=None, cwd=None):
        self.command = [str(word) for word in command]
        self.out, self.err = bytearray(), bytearray()
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            cwd=cwd or scratch(),
            start_new_session=True,
        )
        running.append(self)
        self.threads = [
            threading.Thread(target=self.collect, args=(pipe, into), daemon=True)
            for pipe, into in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for thread in self.threads:
            thread.start()

    def collect(self, pipe, into):
        try:
            while data := os.read(pipe.fileno(), 1 << 16):
                with self.changed:
                    into += data
                    self.changed.notify_all()
        except (OSError, ValueError):
            pass
        with self.changed:
            self.changed.notify_all()

    def ended(self):
        return not any(thread.is_alive() for thread in self.threads)

    def wait(self, done, what, seconds=SECONDS):
        """Until done() gives something true, which is returned."""
        end = time.monotonic() + seconds
        with self.changed:
            while not (result := done()):
                left = end - time.monotonic()
                if left <= 0 or self.ended():
                    if result := done():
                        return result
                    ended = f"; it has ended: {self.complaints()}" if self.ended() else ""
                    fail(f"{self.command[0]}: {what} did not come{ended}")
                self.changed.wait(min(left, 0.2))
            return result

    def expect(self, pattern, stream="out", start=0, seconds=SECONDS):
        """Until a regular expression matches in what it said from start on; the match."""
        pattern = re.compile(pattern.encode(), re.M)
        return self.wait(lambda: pattern.search(getattr(self, stream), start), pattern.pattern.decode(), seconds)

    def expect_text(self, text, what, start=0, seconds=SECONDS):
        return self.wait(lambda: self.out.find(text, start) + 1, what, seconds)

    def write(self, data):
        """In the background, for it may be more than the pipe takes."""
        threading.Thread(target=self.write_now, args=(data,), daemon=True).start()

    def write_now(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError:
            pass

    def complaints(self):
        """The errors on its standard error, or its end."""
        text = self.err.decode(errors="replace")
        return "; ".join(re.findall(r".*error.*", text)[:3]) or text[-300:]

    def finish(self, seconds=SECONDS):
        """Until it ends by itself: its exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            fail(f"{self.command[0]} does not end")
        for thread in self.threads:
            thread.join(5)
        return status

    def stop(self):
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(2)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except OSError:
                pass
        if self in running:
            running.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind:
            last_words.append(self)

    def text(self):
        return (bytes(self.out[-1500:]) + b"\n--\n" + bytes(self.err[-700:])).decode(errors="replace")


def stop_all():
    for process in list(running):
        try:
            process.stop()
        except (OSError, ValueError):
            pass


atexit.register(stop_all)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(1))

scratch_directory = None


def scratch():
    """A directory for the files of this run."""
    global scratch_directory
    if scratch_directory is None:
        scratch_directory = pathlib.Path(tempfile.mkdtemp(prefix="tlshim-interop-"))
        atexit.register(shutil.rmtree, scratch_directory, True)
    return scratch_directory


def have(command):
    return shutil.which(command) is not None


# ---- ports: claimed as the other tests claim them ----

claims = pathlib.Path(f"/tmp/tlshim-ports-{os.getuid()}")
claimed = []


def free_port():
    claims.mkdir(exist_ok=True)
    while True:
        port = random.randrange(10240, 32240)
        try:
            (claims / str(port)).mkdir()
        except FileExistsError:
            continue
        claimed.append(port)
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                probe.bind(("::", port))
        except OSError:
            continue
        return port


def release_ports():
    for port in claimed:
        try:
            (claims / str(port)).rmdir()
        except OSError:
            pass


atexit.register(release_ports)


def is_listening(port):
    suffix = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(table, encoding="ascii"):
            words = line.split()
            if words[3] == "0A" and words[1].endswith(suffix):
                return True
    return False


def wait_listen(port, process=None, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not is_listening(port):
        if time.monotonic() > end or (process and process.process.poll() is not None):
            fail(f"nobody listens on port {port}: {process.text()[-500:] if process else ''}")
        time.sleep(0.01)


# ---- the product ----

LOG_LINE = re.compile(
    r"info: (?P<rule>.*?): peer (?P<peer>\S+)(?: \((?P<name>[^)]*)\))?: "
    r"TLS (?P<version>1\.\d), (?P<suite>TLS_\w+)(?:, (?P<rest>.*))?$"
)


def read_log_line(line):
    """What the product says of a connection, or None if the line is about something else."""
    match = LOG_LINE.search(line)
    if not match:
        return None
    got = {"version": match["version"], "suite": match["suite"], "resumed": False, "line": line}
    for word in (match["rest"] or "").split(", "):
        if word == "resumed":
            got["resumed"] = True
        elif word.startswith("certificate "):
            got["certificate"] = word[12:]
        elif re.fullmatch(r"\w+", word):
            got["group"] = word
    return got


class Side:
    """talk.py under `tlshim run`, as a server or as a client."""

    def __init__(self, name):
        self.name = name
        self.rules = []
        self.process = None
        self.read = self.at = 0

    def start(self, *arguments):
        folder = scratch()
        policy = folder / f"{self.name}.policy"
        policy.write_text("\n".join(self.rules) + "\n", encoding="ascii")
        self.log = folder / f"{self.name}.log"
        self.log.write_text("")
        command = [BUILD / "tlshim", "run", "--policy", policy, "--", sys.executable]
        self.process = Process(
            *command,
            ROOT / "tests" / "lib" / "talk.py",
            *arguments,
            env={"TLSHIM_LOG": "info", "TLSHIM_LOG_FILE": str(self.log), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def report(self, seconds=SECONDS):
        """The next line that the program says."""

        def line():
            end = self.process.out.find(b"\n", self.at)
            return end >= 0 and bytes(self.process.out[self.at : end + 1])

        text = self.process.wait(line, f"{self.name}: a report", seconds)
        self.at += len(text)
        return json.loads(text)

    def log_text(self):
        """What was logged since forget()."""
        return self.log.read_text(errors="replace")[self.read :]

    def connections(self, n, seconds=5):
        """What the log says of the n connections since forget()."""
        end = time.monotonic() + seconds
        while True:
            found = [got for got in map(read_log_line, self.log_text().splitlines()) if got]
            if len(found) >= n:
                return found
            if time.monotonic() > end:
                fail(f"{self.name}: {len(found)} connections are in our log, expected {n}: {self.log_text()[-700:]}")
            time.sleep(0.01)

    def forget(self):
        """Pass over all that was said up to now."""
        if self.process:
            self.at = len(self.process.out)
            self.read = len(self.log.read_text(errors="replace"))


def by_us(want, *members):
    """Options of a rule that let nothing happen but what is wanted, in these members of it."""
    options = [f"versions {want.version}-{want.version}"]
    if "suite" in members and want.suite:
        options.append(f"suites {want.suite}")
    if "group" in members and want.group:
        options.append(f"groups {' '.join(groups_of(want))}")
    if "scheme" in members and want.scheme:
        options.append(f"signature-algorithms {want.scheme}")
    return options


class Server(Side):
    def __init__(self):
        super().__init__("server")
        self.ports = {}

    def listener(self, *options):
        """The port of a listener with such a rule. Only before the first row runs."""
        if options not in self.ports:
            port = free_port()
            self.ports[options] = port
            self.rules.append(f"accept *:{port} tls {{ {'; '.join(options)} }}")
        return self.ports[options]

    def for_want(self, want, *options):
        """A listener with a certificate, and what client certificates take."""
        if want.client:
            options = ("client-auth require", f"trust {trust()}", *options)
        return self.listener(f"certificate {cert_file(want.cert)}", f"key {PKI}/{want.cert}.key", *options)

    def start_all(self, kind):
        if self.ports:
            self.start(kind, *self.ports.values())
            self.report(60)

    def served(self, text=PAYLOAD, end="clean"):
        """The program has had all that the peer sent, and the end that it should."""
        report = self.report()
        if report["end"] != end or report["size"] != len(text):
            fail(f"our server had {report['size']} bytes of {len(text)}, end: {report['end']}")
        return report


class Client(Side):
    def __init__(self):
        super().__init__("client")

    def address(self, *options, name="localhost"):
        """An address that connections go to by such a rule; peers listen on all of them."""
        number = len(self.rules) + 1
        host = f"127.1.{number // 250}.{number % 250 + 1}"
        rule = [f"trust {trust()}", *options]
        if name:
            rule.append(f"server-name {name}")
        self.rules.append(f"connect {host}:* tls {{ {'; '.join(rule)} }}")
        return host

    def for_want(self, want, *options, name="localhost"):
        if want.client:
            options = (f"certificate {PKI}/{want.client}.pem", f"key {PKI}/{want.client}.key", *options)
        return self.address(*options, name=name)

    def port_of_ipv6(self, *options):
        """A port that connections to ::1 go to by such a rule: there is one address only."""
        port = free_port()
        rule = [f"trust {trust()}", "server-name localhost", *options]
        self.rules.append(f"connect [::1]:{port} tls {{ {'; '.join(rule)} }}")
        return port

    def start_all(self):
        if self.rules:
            self.start("call")
            self.report(60)

    def call(self, host, port, send=PAYLOAD, expect=None, **other):
        """Order a connection; answer() tells what became of it."""
        order = {"host": host, "port": port, "send": send.decode(), **other}
        if expect is not None:
            order["expect"] = expect.decode()
        self.process.write(json.dumps(order).encode() + b"\n")

    def answer(self, seconds=SECONDS):
        report = self.report(seconds)
        if report["end"] != "clean" or not report["same"]:
            fail(f"our client: {report}")
        return report


server, client = Server(), Client()


def cert_file(name):
    """A certificate with the intermediates that belong to it."""
    chain = PKI / f"chain-{name}.pem"
    return chain if chain.exists() else PKI / f"{name}.pem"


def trust():
    """All the authorities that certificates of the tests come from."""
    path = scratch() / "trust.pem"
    if not path.exists():
        names = ("ca", "ca-rsa")
        path.write_text("".join((PKI / f"{name}.pem").read_text() for name in names))
    return path


# ---- rows and TAP ----

rows = []


def row(function, *arguments, titles):
    rows.append((titles, function, arguments))


def both(title):
    return [f"{title}, {'resumed' if resumed else 'full'}" for resumed in PHASES]


# ---- peers of our own that take orders ----


class Agent(Process):
    """A program over another TLS library that we wrote: it does what it is told on stdin, and reports on stdout.

    Orders and reports are lines of words, separated by tabs: first what to do or what was done, the others KEY=VALUE.

    listen   port version suite group scheme cert key ca client=require tickets=no alpn: a server that echoes; it
             closes first when a text ends with the line "shutdown". Reports did=listen, and did=served for each
             connection, with version suite resumed group peer alpn size end
    connect  host port text=FILE first=yes|no resume=yes|no renegotiate=yes and the above: sends the text and wants
             it back (renegotiates when half of it is), then closes first or waits for the end. Reports did=connect and the above, and same
    """

    def __init__(self, *command, **other):
        super().__init__(*command, **other)
        self.at = 0

    def order(self, what, **words):
        self.write_now("\t".join([what] + [f"{key}={value}" for key, value in words.items() if value != ""]).encode() + b"\n")

    def report(self, did, seconds=SECONDS):
        def line():
            end = self.out.find(b"\n", self.at)
            return end >= 0 and bytes(self.out[self.at : end + 1])

        while True:
            text = self.wait(line, f"a report on {did}", seconds)
            self.at += len(text)
            words = dict(word.partition("=")[::2] for word in text.decode().rstrip("\n").split("\t"))
            if words.get("did") == did:
                words["resumed"] = words.get("resumed") == "true"
                return words


def legacy_agent_rows(name, agent, without=lambda want: False):
    """The suites of the legacy profile, but for those that the library is without."""
    for want in legacy_variations():
        if not without(want):
            title = f"TLS {want.version}, {want.suite}, legacy"
            row(agent_is_client, agent, want, server.for_want(want, *LEGACY), wants_of(want),
                titles=both(f"{name} to us, {title}"))  # fmt: skip
            row(agent_is_server, agent, want, client.for_want(want, *LEGACY), wants_of(want),
                titles=both(f"us to {name}, {title}"))  # fmt: skip


def lazily(*command, **other):
    """A function that gives an Agent, starting it for the first row, and anew when it has died."""
    agents = []

    def get():
        if not agents or agents[0].process.poll() is not None:
            agents[:] = [Agent(*command, **other)]
        return agents[0]

    return get


def text_file(text, name):
    path = scratch() / name
    if not path.exists():
        path.write_bytes(text)
    return path


def wants_of(want, narrow=True):
    """The words of an order that let nothing happen but what is wanted."""
    words = {"version": want.version, "ca": trust()}
    if narrow:
        words.update(suite=want.suite, group=" ".join(groups_of(want)), scheme=want.scheme)
    return words


def agent_is_client(agent, want, port, words, phases=None, host="127.0.0.1"):
    """agent: a function that gives the Agent, which may be started for the first row."""
    if want.client:
        words = {**words, "cert": cert_file(want.client), "key": PKI / f"{want.client}.key"}
    for resumed in PHASES if phases is None else phases:
        # Who wants to renegotiate closes first.
        first = resumed or "renegotiate" in words
        text = PAYLOAD if first else PAYLOAD_SHUTDOWN
        path = text_file(text, "text" if first else "text-shutdown")
        agent().order("connect", host=host, port=port, text=path, first="yes" if first else "no",
                      resume="yes" if resumed else "no", **words)  # fmt: skip
        got = agent().report("connect")
        if got["end"] != "clean" or got["same"] != "true":
            fail(f"the peer: {got}")
        server.served(text)
        check("the peer", got, server.connections(1)[0], want, resumed)
        yield


def agent_is_server(agent, want, host, words, phases=None):
    port = free_port()
    if want.client:
        words = {**words, "client": "require"}
    agent().order("listen", port=port, cert=cert_file(want.cert), key=PKI / f"{want.cert}.key", **words)
    agent().report("listen")
    for resumed in PHASES if phases is None else phases:
        text = PAYLOAD if resumed else PAYLOAD_SHUTDOWN
        client.call(host, port, send=text, first=resumed)
        client.answer()
        got = agent().report("served")
        if got["end"] != "clean" or int(got["size"]) != len(text):
            fail(f"the peer: {got}")
        if not resumed and got.get("peer", want.client) != want.client:
            fail(f"the peer says certificate {got['peer']!r}")
        check("the peer", got, client.connections(1)[0], want, resumed)
        yield


def agent_rows(name, agent, version, unknown=(), long_phases=PHASES, families=("IPv4", "IPv6"), **limits):
    """The usual rows for a library with an agent, both ways. It cannot be told the members of Want that are unknown."""
    for what, want in variations(version, **limits):
        want = want._replace(**{member: "" for member in unknown if getattr(want, member) not in what})
        row(agent_is_client, agent, want, server.for_want(want), wants_of(want),
            titles=both(f"{name} to us, TLS {version}, {what}"))  # fmt: skip
        row(agent_is_server, agent, want, client.for_want(want), wants_of(want),
            titles=both(f"us to {name}, TLS {version}, {what}"))  # fmt: skip
    usual = as_they_like(version)
    words = wants_of(usual, narrow=False)
    if "IPv6" in families:
        row(agent_is_client, agent, usual, server.for_want(usual), words, None, "::1",
            titles=both(f"{name} to us, TLS {version}, IPv6"))  # fmt: skip
    long = usual._replace(cert="long-chain")
    row(agent_is_client, agent, long, server.for_want(long), words,
        titles=both(f"{name} to us with a chain of ten certificates, TLS {version}"))  # fmt: skip
    row(agent_is_server, agent, long, client.for_want(long), words, long_phases,
        titles=both(f"us to {name} with a chain of ten certificates, TLS {version}")[: len(long_phases)])  # fmt: skip


def tap(ok, number, title, note=""):
    print(f"{'ok' if ok else 'not ok'} {number} {title}")
    for line in note.splitlines():
        print(f"# {line}")
    sys.stdout.flush()


def skip_all(why):
    print(f"1..1\nok 1 the peers of this file # skip {why}")
    sys.exit(0)


def evidence():
    """What everybody said, for a test that failed."""
    parts = []
    for side in (server, client):
        if side.process and side.log_text():
            parts.append(f"{side.name}'s log: {side.log_text()[-600:]}")
    for process in last_words + running:
        if process not in (server.process, client.process):
            parts.append(f"{' '.join(process.command)}: {process.text()}")
            if isinstance(process, Agent):
                process.at = len(process.out)
    last_words.clear()
    return "\n".join(parts)


def run_row(number, titles, function, arguments):
    """True if all of its tests passed."""
    server.forget()
    client.forget()
    before, done, begin = set(running), 0, time.monotonic()
    try:
        for _ in function(*arguments):
            tap(True, number + done, titles[done])
            done += 1
            server.forget()
            client.forget()
        if done < len(titles):
            fail("the row ended early")
    except Exception as error:  # pylint: disable=broad-except
        where = traceback.extract_tb(error.__traceback__)[-1]
        note = f"{type(error).__name__}: {error} ({pathlib.Path(where.filename).name}:{where.lineno})\n{evidence()}"
        for title in titles[done:]:
            tap(False, number + done, title, note)
            note, done = "a test before it failed", done + 1
        return False
    finally:
        for process in set(running) - before:
            if not isinstance(process, Agent):
                process.stop()
        if os.environ.get("INTEROP_TIMES"):
            print(f"# {time.monotonic() - begin:.2f} s")
    return True


def main(kind="serve"):
    """Runs all rows. kind: what talk.py is as a server."""
    only = os.environ.get("INTEROP_ONLY")
    chosen = [one for one in rows if not only or any(re.search(only, title) for title in one[0])]
    print(f"1..{sum(len(titles) for titles, _, _ in chosen)}", flush=True)
    server.start_all(kind)
    client.start_all()
    number, ok = 1, True
    for titles, function, arguments in chosen:
        ok = run_row(number, titles, function, arguments) and ok
        number += len(titles)
    sys.exit(0 if ok else 1)


subprocess.run([ROOT / "tests" / "pki" / "make", PKI], check=True)
