# SPDX-License-Identifier: GPL-2.0-or-later
"""What the files of the interoperability matrix build on: our side, peers that take orders, rows, TAP.

A file of the matrix declares rows and calls main(). A row is a generator function that does one conversation
after the other with a peer and yields after each; every yield is one test. What is under test is the product:
talk.py, wrapped by `tlshim run`, once as a server with a listener for each rule, once as a client with an
address for each rule.

    INTEROP_ONLY=REGEX   only tests whose title matches
    INTEROP_TIMES=1      say how long each row took
    INTEROP_SECONDS=N    how long anything may take, default 20
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

import talk
from interop_processes import *  # noqa: F403
from interop_processes import SECONDS, Process, fail, free_port, last_words, running, scratch
from interop_tables import *  # noqa: F403
from interop_tables import LEGACY, as_they_like, groups_of, legacy_variations, variations

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
PKI = BUILD / "pki"
PEERS = ROOT / "tests" / "interop" / "peers"

PAYLOAD = talk.payload(80000)
PAYLOAD_SHUTDOWN = talk.payload(80000, b"shutdown")
REPLY = talk.payload(70000, b"stop")

# A conversation in full, and one that resumes its session.
PHASES = (False, True)

# ---- rows ----

rows = []


def row(function, *arguments, titles):
    rows.append((titles, function, arguments))


def both(title):
    return [f"{title}, full", f"{title}, resumed"]


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
                # two processes may log in either order: the connection in full came first
                return sorted(found, key=lambda got: got["resumed"])
            if time.monotonic() > end:
                fail(
                    f"{self.name}: {len(found)} connections in our log, expected {n}: {self.log_text()[-700:]}"
                )
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


# ---- peers of our own that take orders ----


class Agent(Process):
    """A program of ours over another TLS library: it does what it is told on stdin, and reports on stdout.

    Orders and reports are lines of words, separated by tabs: what to do or what was done, then KEY=VALUE.

    listen   port version suite group scheme cert key ca client=require tickets=no alpn: a server that echoes;
             it closes first when a text ends with the line "shutdown". Reports did=listen, and did=served for
             each connection, with version suite resumed group peer alpn size end
    connect  host port text=FILE first=yes|no resume=yes|no renegotiate=yes and the above: sends the text and
             wants it back (renegotiates when half of it is), then closes first or waits for the end. Reports
             did=connect, the above, and same
    """

    def __init__(self, *command, **other):
        super().__init__(*command, **other)
        self.at = 0

    def order(self, what, **words):
        self.write_now(
            "\t".join([what] + [f"{key}={value}" for key, value in words.items() if value != ""]).encode()
            + b"\n"
        )

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


def agent_is_client(agent, want, port, words, phases=PHASES, host="127.0.0.1"):
    """agent: a function that gives the Agent, which may be started for the first row."""
    if want.client:
        words = {**words, "cert": cert_file(want.client), "key": PKI / f"{want.client}.key"}
    for resumed in phases:
        # Who wants to renegotiate closes first.
        first = resumed or "renegotiate" in words
        text = PAYLOAD if first else PAYLOAD_SHUTDOWN
        path = text_file(text, "text" if first else "text-shutdown")
        agent().order(
            "connect",
            host=host,
            port=port,
            text=path,
            first="yes" if first else "no",
            resume="yes" if resumed else "no",
            **words,
        )
        got = agent().report("connect")
        if got["end"] != "clean" or got["same"] != "true":
            fail(f"the peer: {got}")
        server.served(text)
        check("the peer", got, server.connections(1)[0], want, resumed)
        yield


def agent_is_server(agent, want, host, words, phases=PHASES):
    port = free_port()
    if want.client:
        words = {**words, "client": "require"}
    agent().order("listen", port=port, cert=cert_file(want.cert), key=PKI / f"{want.cert}.key", **words)
    agent().report("listen")
    for resumed in phases:
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


def agent_to_us(name, what, agent, want, port, words, phases=PHASES):
    row(
        agent_is_client,
        agent,
        want,
        port,
        words,
        phases,
        titles=both(f"{name} to us, TLS {want.version}, {what}")[: len(phases)],
    )


def agent_to_them(name, what, agent, want, host, words, phases=PHASES):
    row(
        agent_is_server,
        agent,
        want,
        host,
        words,
        phases,
        titles=both(f"us to {name}, TLS {want.version}, {what}")[: len(phases)],
    )


def agent_rows(name, agent, version, unknown=(), long_phases=PHASES, **limits):
    """The usual rows for a library with an agent. It cannot be told the members of Want that are unknown."""
    for what, want in variations(version, **limits):
        want = want._replace(**{member: "" for member in unknown if getattr(want, member) not in what})
        agent_to_us(name, what, agent, want, server.for_want(want), wants_of(want))
        agent_to_them(name, what, agent, want, client.for_want(want), wants_of(want))
    usual = as_they_like(version)
    words = wants_of(usual, narrow=False)
    row(
        agent_is_client,
        agent,
        usual,
        server.for_want(usual),
        words,
        PHASES,
        "::1",
        titles=both(f"{name} to us, TLS {version}, IPv6"),
    )
    alpn = {**words, "alpn": "foo h2"}
    agent_to_us(name, "ALPN", agent, usual, server.for_want(usual, "alpn h2 http/1.1"), alpn)
    agent_to_them(name, "ALPN", agent, usual, client.address("alpn h2 http/1.1"), alpn)
    long, what = usual._replace(cert="long-chain"), "a chain of ten certificates"
    agent_to_us(name, what, agent, long, server.for_want(long), words)
    agent_to_them(name, what, agent, long, client.for_want(long), words, long_phases)


def legacy_agent_rows(name, agent, without=lambda want: False):
    """The suites of the legacy profile, but for those that the library is without."""
    for want in legacy_variations():
        if not without(want):
            what = f"{want.suite}, legacy"
            agent_to_us(name, what, agent, want, server.for_want(want, *LEGACY), wants_of(want))
            agent_to_them(name, what, agent, want, client.for_want(want, *LEGACY), wants_of(want))


# ---- running them, and TAP ----


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
        where = f"{pathlib.Path(where.filename).name}:{where.lineno}"
        note = f"{type(error).__name__}: {error} ({where})\n{evidence()}"
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
