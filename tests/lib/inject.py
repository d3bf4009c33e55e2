# SPDX-License-Identifier: GPL-2.0-or-later
"""Make every system call of connections fail in turn, and look what becomes of the program and of the wire.

    inject.py [--seconds N] [--scenarios A,B] [--seed N] LISTEN CONNECT TAP_DIRECTORY INJECT PROGRAM TEXT

Runs PROGRAM (tests/progs/faults) under INJECT (tests/progs/inject.c): each call that it makes, the first one, the
second one and so on, with each of the faults below; in random order until the seconds are over (0: all of them).
A bad end is a signal, a hang, bytes that were not sent, an errno out of the blue, or TEXT on the wire.
"""
import argparse
import errno
import os
import random
import subprocess
import sys
import time

SCENARIOS = "block poll select epoll fork exec pass odd hasty".split()
LIMIT = 8  # seconds for one run

# What each call may fail with; the rest get OTHER.
SOCKET_READ = ("EINTR", "EAGAIN", "ENOMEM", "ECONNRESET", "short")
SOCKET_WRITE = ("EINTR", "EAGAIN", "ENOBUFS", "ECONNRESET", "EPIPE", "short")
WAIT = ("EINTR", "ENOMEM")
NEW = ("EMFILE", "ENOMEM")
FAULTS = {
    "recvfrom": SOCKET_READ, "recvmsg": SOCKET_READ, "read": SOCKET_READ, "readv": SOCKET_READ,
    "sendto": SOCKET_WRITE, "sendmsg": SOCKET_WRITE, "write": SOCKET_WRITE, "writev": SOCKET_WRITE,
    "poll": WAIT, "ppoll": WAIT, "select": WAIT, "pselect6": WAIT, "epoll_wait": WAIT, "epoll_pwait": WAIT,
    "epoll_pwait2": WAIT, "nanosleep": ("EINTR",), "epoll_ctl": ("ENOMEM", "ENOSPC"), "epoll_create1": NEW,
    "connect": ("EINTR", "ENOMEM", "ECONNREFUSED"), "accept": ("EINTR", "EMFILE", "ECONNABORTED"),
    "accept4": ("EINTR", "EMFILE", "ECONNABORTED"), "socket": NEW, "socketpair": NEW, "shutdown": ("ENOTCONN",),
    "close": ("EINTR", "EIO"), "fcntl": ("EINVAL", "EMFILE"), "dup": NEW, "dup2": NEW, "dup3": NEW, "pipe2": NEW,
    "mmap": ("ENOMEM",), "brk": ("ENOMEM",), "munmap": ("ENOMEM",), "madvise": ("EINVAL",), "memfd_create": NEW,
    "ftruncate": ("ENOSPC", "EINTR"), "getrandom": ("EINTR", "ENOSYS", "short"), "openat": ("EMFILE", "EACCES"),
    "pread64": ("EIO", "EINTR", "short"), "kill": ("EPERM",), "futex": ("ENOSYS",), "clone": ("EAGAIN",),
    "clone3": ("EAGAIN",), "vfork": ("EAGAIN",), "execve": ("EACCES", "ENOMEM"), "execveat": ("EACCES", "ENOMEM"),
    "getdents64": ("EIO",), "tee": ("ENOMEM",), "splice": ("ENOMEM",), "sendfile": ("EIO", "EINTR"),
}
OTHER = ("ENOBUFS",)
# What a call on a connection may report whatever failed below it.
USUAL = {"EAGAIN", "EINTR", "ENOMEM", "ENOBUFS", "ENFILE", "EMFILE", "EACCES", "EPIPE", "ECONNRESET", "ECONNABORTED",
         "ECONNREFUSED", "ENOTCONN", "EPROTO", "ETIMEDOUT", "EKEYREJECTED", "EPERM"}
# And what follows where the call is a question about the socket, or the program's own.
ALSO = {"fcntl": {"EINPROGRESS", "EBADF", "EINVAL"}, "epoll_create1": {"EBADF"}, "memfd_create": {"EBADF"},
        "setsockopt": {"EADDRINUSE"}}


def number_of(fault):
    return fault if fault == "short" else str(getattr(errno, fault))


def trouble_of(done, call, fault):
    """What is wrong with how a run ended; empty: nothing."""
    if done.returncode == 124:
        return f"hangs: {done.stderr[-600:]}"
    if done.returncode not in (0, 1, 126, 127):
        return f"status {done.returncode}: {done.stderr[-300:]}"
    for line in done.stdout.splitlines():
        word = line.split()[-1] if line.split() else ""
        if word.startswith("E") and word.isupper() and word not in USUAL | ALSO.get(call, set()) | {fault}:
            return f"says {line!r}"
    return ""


class Injection:
    def __init__(self, args):
        self.args = args
        self.text = args.text.encode()

    def run(self, scenario, *how):
        command = [self.args.inject, str(LIMIT), *how, self.args.program, scenario, self.args.listen, self.args.connect,
                   self.args.text]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)

    def wire_is_clear(self):
        """Has the text been on the wire? Looked at once."""
        found = False
        for name in os.listdir(self.args.tap):
            path = os.path.join(self.args.tap, name)
            with open(path, "rb") as recorded:
                found = found or self.text in recorded.read()
            os.unlink(path)
        return found

    def cases(self, scenario):
        """(call, site, how often, fault) of all that can fail in it."""
        done = self.run(scenario, "list")
        if done.returncode == 77:
            print("cannot trace here", file=sys.stderr)
            sys.exit(77)
        if done.returncode != 0:
            print(f"{scenario}: status {done.returncode} with no fault: {done.stdout}{done.stderr}")
            sys.exit(1)
        for line in done.stdout.splitlines():
            words = line.split()
            if len(words) != 3 or words[1] not in ("shim", "libc") or words[:2] == ["futex", "libc"]:
                continue  # libc ends the program where a futex fails
            for at in range(1, int(words[2]) + 1):
                for fault in FAULTS.get(words[0], OTHER):
                    yield scenario, words[0], words[1], at, fault


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--case", help="SCENARIO:CALL:SITE:N:FAULT alone")
    for name in ("listen", "connect", "tap", "inject", "program", "text"):
        parser.add_argument(name)
    args = parser.parse_args()
    injection, began, n_run, n_hit, bad = Injection(args), time.monotonic(), 0, 0, 0
    if args.case:
        cases = [tuple(args.case.split(":"))]
    else:
        cases = [case for name in args.scenarios.split(",") for case in injection.cases(name)]
        injection.wire_is_clear()
        random.Random(args.seed).shuffle(cases)
    for scenario, call, site, at, fault in cases:
        if args.seconds and time.monotonic() - began > args.seconds:
            break
        done = injection.run(scenario, call, site, str(at), number_of(fault))
        trouble = trouble_of(done, call, fault)
        if injection.wire_is_clear():
            trouble += " THE TEXT WAS ON THE WIRE"
        n_run += 1
        n_hit += not done.stderr.rstrip().endswith("0 calls were made to fail")
        if trouble or args.case:
            bad += bool(trouble)
            print(f"{scenario}:{call}:{site}:{at}:{fault}: {trouble}", flush=True)
        if args.case:
            print(done.stdout, done.stderr)
    print(f"{n_run} of {len(cases)} faults, {n_hit} happened, {bad} ended badly; seed {args.seed}")
    sys.exit(1 if bad or not n_hit else 0)


if __name__ == "__main__":
    main()
