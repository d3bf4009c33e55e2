# SPDX-License-Identifier: GPL-2.0-or-later
"""What the interoperability matrix needs of the system: processes with pipes, a directory, ports."""

import atexit
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

SECONDS = int(os.environ.get("INTEROP_SECONDS", "20"))


class Failure(Exception):
    """A test that has failed, and why."""


def fail(text):
    raise Failure(text)


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
        return self.wait(
            lambda: pattern.search(getattr(self, stream), start), pattern.pattern.decode(), seconds
        )

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


def chopped(port, host="127.0.0.1", size=7, count=6000):
    """The port of a relay to that port, which passes on the first count bytes of each direction in small pieces."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def pump(source, target):
        left = count
        try:
            while data := source.recv(1 << 16):
                while data and left > 0:
                    target.sendall(data[:size])
                    data, left = data[size:], left - size
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept():
        while True:
            near = listener.accept()[0]
            far = socket.create_connection((host, port))
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=pump, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


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
