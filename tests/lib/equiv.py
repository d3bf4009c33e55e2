# SPDX-License-Identifier: GPL-2.0-or-later
"""Run random sequences of socket calls over plain TCP and under the shim, and compare what they say.

    equiv.py [--first SEED] [--count N] [--chunk N] PLAIN_PORT TLS_PORT CLOSED_PORT PROGRAM -- WRAPPER...

Prints each sequence that differs and the first line that does, and how many ran. Timers and scheduling differ now and
then: what differs in RUNS runs, differs. What may differ is listed in shim/README.md.
"""
import argparse
import re
import subprocess
import sys
import time

RUNS = 5


def canonical(line):
    """HUP with or without ERR is no difference, as for resets."""
    return re.sub(r"\b(20)?1([89a-f])\b", lambda m: f"{m[1] or ''}1{int(m[2], 16) & 7:x}", line)


def sequences(text):
    found, name = {}, None
    for line in text.decode(errors="replace").splitlines():
        if line.startswith("== seed "):
            name = int(line.split()[2])
            found[name] = []
        elif name is not None:
            found[name].append(line.strip())
    return found


def has_an_edge_more(without, with_tls):
    """epoll_wait() said the same, and one event more."""
    words, more = without.split(), with_tls.split()
    return "epoll" in words and "wait" in words and len(more) == len(words) + 1 and set(words[5:]) < set(more[5:])


def lacks_the_edge_of_a_fin(without, with_tls, ended):
    """epoll_wait() said the same but for a socket that its program has shut: the peer's acknowledgement of a FIN is a
    change of TCP's state, and wakes whoever waits to write. Under TLS the end is an alert."""
    words, fewer = without.split(), with_tls.split()
    gone = set(words[5:]) - set(fewer[5:])
    return ("epoll" in words and "wait" in words and set(fewer[5:]) < set(words[5:]) and
            all(event.endswith("=4") and int(event.split("=")[0]) // 10 in ended for event in gone))


def difference(plain, tls, edges):
    """The first line that differs, or None. After a reset the order of errors may differ, after one edge more or less
    what follows: these are counted."""
    ended = set()
    for without, with_tls in zip(plain, tls):
        if shut := re.match(r"shut (\d) \w+: how [12]", without):
            ended.add(int(shut[1]))
        if has_an_edge_more(without, with_tls) or lacks_the_edge_of_a_fin(without, with_tls, ended):
            edges.append(with_tls)
            return None
        if without != with_tls and re.search("ECONNRESET|so_error.*EPIPE", without + with_tls):
            return None
        if canonical(without) != canonical(with_tls):
            return f"plain: {without}; TLS: {with_tls}"
    return None if len(plain) == len(tls) else "one of them says more"


def start(command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process, limit):
    """Its sequences, and how it ended if it did not end well."""
    late = ""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        late = "does not end; "
    trouble = f"{late}status {process.returncode}: {err[-1500:].decode(errors='replace')}" if process.returncode else ""
    return sequences(out), trouble


class Comparison:
    def __init__(self, args, wrapper):
        self.plain = [args.program, args.plain_port, args.closed_port]
        self.tls = wrapper + [args.program, args.tls_port, args.closed_port]
        self.bad = 0
        self.edges = []

    def complain(self, what):
        self.bad += 1
        print(what, flush=True)

    def both(self, first, count):
        rest = [str(first), str(count)]
        # They wait more than they work.
        plain_run, tls_run = start(self.plain + rest), start(self.tls + rest)
        tls, trouble = ended(tls_run, 60 + count)
        plain, plain_trouble = ended(plain_run, 60 + count)
        if plain_trouble:
            self.complain(f"without the shim, seeds {first}+{count}: {plain_trouble}")
        return plain, tls, trouble

    def differs(self, seed):
        """Does this one differ when it is run alone?"""
        plain, tls, trouble = self.both(seed, 1)
        return trouble or (difference(plain.get(seed, []), tls.get(seed, []), []) or "" if plain else "")

    def chunk(self, first, count):
        plain, tls, trouble = self.both(first, count)
        if trouble:
            self.complain(f"seeds {first}+{count}, after {len(tls)}: {trouble}")
        for seed, lines in plain.items():
            if seed not in tls:
                continue
            why = difference(lines, tls[seed], self.edges)
            for _ in range(RUNS - 1):
                why = why and self.differs(seed)
            if why:
                self.complain(f"seed {seed}: {why}")
        return len(tls)


def main():
    own, wrapper = sys.argv[1:], []
    if "--" in own:
        wrapper = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--chunk", type=int, default=250)
    for name in ("plain_port", "tls_port", "closed_port", "program"):
        parser.add_argument(name)
    args = parser.parse_args(own)
    comparison, ran, began = Comparison(args, wrapper), 0, time.monotonic()
    for first in range(args.first, args.first + args.count, args.chunk):
        ran += comparison.chunk(first, min(args.chunk, args.first + args.count - first))
    if len(comparison.edges) > 2 + ran / 200:
        comparison.complain("too many of them have an edge more or less")
    print(f"{ran} sequences from seed {args.first} on in {time.monotonic() - began:.0f} s, {comparison.bad} differ, "
          f"{len(comparison.edges)} have an edge more or less")
    sys.exit(1 if comparison.bad or ran != args.count else 0)


if __name__ == "__main__":
    main()
