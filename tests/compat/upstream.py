# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 900
"""Test suites of other projects, plain and through the shim: every test must end in the same way.

    python3 tests/compat/upstream.py [SUITE…]      BUILD names the build folder; TAP on standard output

redis      its Tcl tests: redis-server, its tools and the test client are all wrapped
memcached  its Perl tests: memcached and the test client are wrapped
tcl        its tests of sockets: clients and servers in one thread, and in programs that talk over pipes
python     modules of the standard library's tests: clients and servers in one wrapped process

The tests of redis, memcached and Tcl come from the distribution's source packages, by apt-get into $BUILD/upstream, and are
nowhere kept else; without them, or without the programs, the suite is skipped. DIFFERENCES lists, with the reason, what
may end differently.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
WORK = BUILD / "upstream"
PKI = BUILD / "pki"

NO_URGENT = "MSG_OOB sends nothing (EOPNOTSUPP): an urgent byte would stand in the midst of ciphertext"
LINGERS = "what the peer sends after close() is drained for a moment, where TCP resets the connection: the test counts on the reset"
NEEDS_WORD = "the server is another program, which accepts when the client has ended: connect() waits for the handshake"
DIFFERENCES = {
    "tcl": {
        "socket_inet-6.1": NEEDS_WORD,
        "socket_inet6-6.1": NEEDS_WORD,
        "socket_inet-11.9": NEEDS_WORD,
        "socket_inet6-11.9": NEEDS_WORD,
    },
    "python test_asyncore": {
        "TestAPI_UseIPv4Poll.test_handle_expt": NO_URGENT,
        "TestAPI_UseIPv4Select.test_handle_expt": NO_URGENT,
        "TestAPI_UseIPv6Poll.test_handle_expt": NO_URGENT,
        "TestAPI_UseIPv6Select.test_handle_expt": NO_URGENT,
    },
    "python test_asynchat": {
        "TestAsynchat.test_close_when_done": LINGERS,
        "TestAsynchat_WithPoll.test_close_when_done": LINGERS,
    },
    "python test_ftplib": {
        "TestFTPClass.test_abort": NO_URGENT,
    },
}

REDIS = "unit/type/string unit/type/incr unit/type/list-2 unit/protocol unit/auth unit/pubsub unit/multi unit/scan unit/quit"
MEMCACHED = "binary-get bogus-commands cas flags incrdecr issue_14 issue_29 issue_42 issue_50 issue_61 issue_68 issue_152"
PYTHON = "test_socket test_socketserver test_asyncore test_asynchat test_ftplib test_imaplib test_telnetlib test_httpservers " \
    "test_poplib test_smtplib test_xmlrpc test_wsgiref test_urllib2_localnet test_select test_poll test_epoll test_selectors " \
    "test_httplib test_asyncio.test_streams test_asyncio.test_sock_lowlevel test_asyncio.test_server test_asyncio.test_events"
# Other address families, some of which hang where there is no such thing.
NOT_TCP = "VSOCK|UDP|CAN|RDS|Alg|QIPCRTR|Unix|Bluetooth|SCTP"

RECORDER = """
import json, re, sys, unittest
class Recorder(unittest.TestResult):
    ends = {}
    def note(self, test, end):
        self.ends[".".join(test.id().split(".")[2:])] = end
    def addSuccess(self, test):
        self.note(test, "ok")
    def addError(self, test, error):
        self.note(test, "error")
    def addFailure(self, test, error):
        self.note(test, "fails")
    def addSkip(self, test, reason):
        self.note(test, "skipped")
    def addExpectedFailure(self, test, error):
        self.note(test, "fails, as expected")
    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpectedly ok")
def tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield tests_of_class(test)
        elif not re.search(sys.argv[3], test.id().split(".")[-2]):
            yield test
def tests_of_class(suite):
    return unittest.TestSuite(tests_of(suite))
tests_of_class(unittest.defaultTestLoader.loadTestsFromName("test." + sys.argv[1]))(Recorder())
with open(sys.argv[2], "w") as file:
    json.dump(Recorder.ends, file)
"""


class Skip(Exception):
    """The suite cannot be run here; the text says why."""


def policy():
    (WORK / "policy").write_text(
        f"accept *:* tls {{\n\tcertificate {PKI}/server.pem\n\tkey {PKI}/server.key\n\thandshake-timeout 3\n"
        "\ttruncation ignore\n}\n"
        f"connect *:* tls {{\n\ttrust {PKI}/ca.pem\n\tserver-name localhost\n\thandshake-timeout 3\n\ttruncation ignore\n}}\n"
    )


def run(command, wrapped, limit, **options):
    """Its output; whatever it leaves is ended with it, by its session."""
    if wrapped:
        command = [BUILD / "tlshim", "run", "--policy", WORK / "policy", "--", *command]
    process = subprocess.Popen(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True, **options)
    try:
        return process.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0] + "\ntime limit\n"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def source(package):
    """The unpacked source package of the distribution."""
    folder = WORK / package
    if folder.is_dir():
        return folder
    release = dict(line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line)
    code = release.get("VERSION_CODENAME", "").strip('"')
    if release.get("ID") != "debian" or not code or not shutil.which("dpkg-source"):
        raise Skip("no Debian source packages here")
    apt = WORK / "apt"
    (apt / "lists/partial").mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb-src http://deb.debian.org/debian {code} main\n")
    get = ["apt-get", "-q", "-o", f"Dir::Etc::SourceList={apt}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null",
           "-o", f"Dir::State::Lists={apt}/lists", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
           "-o", "APT::Sandbox::User=root", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1"]
    said = run([*get, "update"], False, 90, cwd=apt) + run([*get, "--download-only", "source", package], False, 90, cwd=apt)
    (apt / f"{package}.log").write_text(said)
    described = sorted(apt.glob(f"{package}_*.dsc"))
    if not described:
        raise Skip(f"apt-get could not fetch the sources of {package}")
    run(["dpkg-source", "-x", described[-1], folder], False, 60, cwd=apt)
    if not folder.is_dir():
        raise Skip(f"dpkg-source could not unpack {package}")
    return folder


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def redis():
    need("redis-server", "redis-cli", "redis-benchmark", "tclsh")
    folder = source("redis")
    for program in ("redis-server", "redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb"):
        link = folder / "src" / program
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to(shutil.which(program) or "/usr/bin/false")
    units = [word for unit in REDIS.split() for word in ("--single", unit)]

    def once(wrapped):
        port = "23111" if wrapped else "27111"
        output = run(["tclsh", "tests/test_helper.tcl", "--clients", "2", "--timeout", "100", "--baseport", port,
                      "--portcount", "3000", *units], wrapped, 200, cwd=folder)
        (WORK / f"redis.{'wrapped' if wrapped else 'plain'}").write_text(output)
        output = re.sub(r"\x1b\[[0-9;]*m", "", output)
        ends = {}
        for end, name in re.findall(r"^\[(ok|err|exception|timeout|skip|ignore)\]:? (.*?)(?: \(\d+ ms\))?$", output, re.M):
            while name in ends:
                name += "'"
            ends[name] = end
        ends["the suite as a whole"] = "ok" if "All tests passed" in output else "fails"
        return ends

    yield "redis", once


FILTER = """#!/bin/bash
# Without -o relaxed_privileges, for builds that do not know it; unix sockets are no matter for this comparison.
[ "$1" != -h ] || { memcached -h | grep -v unix-socket; exit; }
arguments=()
while [ $# -gt 0 ]; do
	if [ "$1" = -o ]; then
		[ "$2" = relaxed_privileges ] || arguments+=(-o "${2//,relaxed_privileges/}")
		shift
	else
		arguments+=("$1")
	fi
	shift
done
exec memcached "${arguments[@]}"
"""


def memcached():
    need("memcached", "perl", "cc")
    folder = source("memcached")
    (folder / "memcached-debug").write_text(FILTER)
    (folder / "memcached-debug").chmod(0o755)
    run(["cc", "-o", "timedrun", "timedrun.c"], False, 60, cwd=folder)

    def once(wrapped):
        ends = {}
        for name in MEMCACHED.split():
            output = run(["perl", f"t/{name}.t"], wrapped, 60, cwd=folder)
            tests = re.findall(r"^(ok|not ok) (\d+)", output, re.M)
            ends.update((f"{name} {number}", end) for end, number in tests)
            plan = re.search(r"^1\.\.(\d+)", output, re.M)
            ends[name] = "complete" if plan and int(plan[1]) == len(tests) else "incomplete"
        return ends

    yield "memcached", once


def tcl():
    need("tclsh8.6")
    folder = source("tcl8.6") / "tests"

    def once(wrapped):
        output = run(["tclsh8.6", "socket.test", "-verbose", "ps"], wrapped, 200, cwd=folder)
        (WORK / f"tcl.{'wrapped' if wrapped else 'plain'}").write_text(output)
        ends = dict(re.findall(r"^\+\+\+\+ (\S+) (PASSED|SKIPPED)", output, re.M))
        ends = {name: "ok" if end == "PASSED" else "skipped" for name, end in ends.items()}
        ends.update((name, "fails") for name in re.findall(r"^==== (\S+) FAILED$", output, re.M))
        return ends

    yield "tcl", once


def python():
    for program in (sys.executable, "/usr/bin/python3"):
        if not subprocess.run([program, "-c", "import test.test_socketserver"], capture_output=True, check=False).returncode:
            break
    else:
        raise Skip("Python's own tests are not installed")
    for module in PYTHON.split():

        def once(wrapped, module=module):
            record = WORK / "python.json"
            record.unlink(missing_ok=True)
            output = run([program, "-W", "ignore", "-c", RECORDER, module, record, NOT_TCP], wrapped, 120, cwd=WORK)
            (WORK / f"{module}.{'wrapped' if wrapped else 'plain'}").write_text(output)
            return json.loads(record.read_text()) if record.exists() else {"the module as a whole": "no result"}

        yield f"python {module}", once


def compare(suite, plain, wrapped):
    """Lines about tests that end differently without a reason, and the number of those with one."""
    explained, lines = 0, []
    for test in sorted(plain.keys() | wrapped.keys()):
        ends = plain.get(test, "missing"), wrapped.get(test, "missing")
        if ends[0] == ends[1]:
            continue
        if test in DIFFERENCES.get(suite, {}):
            explained += 1
        else:
            lines.append(f"{test}: {ends[0]} when plain, {ends[1]} when wrapped")
    if "ok" not in plain.values():
        lines.append("no test is ok, not even when plain")
    return explained, lines


def main():
    os.chdir(ROOT)
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run([ROOT / "tests/pki/make", PKI], check=True)
    policy()
    count = failures = 0
    table = []
    for family in (redis, memcached, tcl, python):
        if sys.argv[1:] and family.__name__ not in sys.argv[1:]:
            continue
        try:
            for suite, once in family():
                plain, wrapped = once(False), once(True)
                explained, lines = compare(suite, plain, wrapped)
                count += 1
                failures += bool(lines)
                print(f"{'not ok' if lines else 'ok'} {count} - {suite}: {len(plain)} tests end as they do without the shim")
                for line in lines[:20]:
                    print(f"# {line}")
                result = f"{len(lines)} different" if lines else "same"
                table.append((suite, len(plain), result + (f", {explained} explained" if explained else "")))
                sys.stdout.flush()
        except Skip as reason:
            count += 1
            print(f"ok {count} - {family.__name__} # skip {reason}")
            table.append((family.__name__, 0, f"skipped: {reason}"))
    print(f"1..{count}")
    print("# | upstream suite | tests | plain and wrapped |")
    for suite, tests, result in table:
        print(f"# | {suite} | {tests} | {result} |")
    return failures > 0


sys.exit(main())
