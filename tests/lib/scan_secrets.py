# SPDX-License-Identifier: GPL-2.0-or-later
"""Look for the secrets of TLS connections in the memory of a process.

    scan_secrets.py PID KEYLOG

KEYLOG is what a peer has written with SSLKEYLOGFILE (RFC 9850). Looks for each secret in it, and for the keys that
follow from those of TLS 1.3 (RFC 8446 7.3). Prints a line for each that is found; exit status 0 if there is none, 1 if
there are some, 2 if nothing could be looked for.
"""
import hashlib
import hmac
import re
import sys


def expand_label(secret, label, length):
    """HKDF-Expand-Label with an empty context; never more than one block here."""
    digest = hashlib.sha256 if len(secret) == 32 else hashlib.sha384
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0" + b"\x01"
    return hmac.new(secret, info, digest).digest()[:length]


def patterns(keylog):
    """Name and bytes of all that must not be found."""
    with open(keylog, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if len(words) != 3 or words[0].startswith("#"):
                continue
            name, secret = words[0], bytes.fromhex(words[2])
            yield name, secret
            if "TRAFFIC" in name:
                yield name + " key (128 bits)", expand_label(secret, b"key", 16)
                yield name + " key (256 bits)", expand_label(secret, b"key", 32)


def regions(pid):
    """Start and end of all memory that can be read and written."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as lines:
        for line in lines:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match and "[vvar]" not in line:
                yield int(match[1], 16), int(match[2], 16), line.split(maxsplit=5)[-1].strip()


def resident(pid, start, end):
    """The pieces of a region that are there at all: the arena is gigabytes of holes."""
    size = 1 << 20
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for at in range(start, end, size):
            n_pages = (min(at + size, end) - at) // 4096
            pagemap.seek(at // 4096 * 8)
            entries = pagemap.read(n_pages * 8)
            if any(entries[i + 7] & 0xC0 for i in range(0, len(entries), 8)):
                yield at, min(at + size, end)


def main():
    pid, keylog = int(sys.argv[1]), sys.argv[2]
    wanted = dict((secret, name) for name, secret in patterns(keylog))
    if not wanted:
        print("no secrets in", keylog)
        return 2
    n_bytes = 0
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, where in regions(pid):
            for first, last in resident(pid, start, end):
                try:
                    memory.seek(first)
                    data = memory.read(min(last + 64, end) - first)
                except OSError:
                    continue
                n_bytes += len(data)
                found |= {(name, where) for secret, name in wanted.items() if secret in data}
    for name, where in sorted(found):
        print(f"{name}: in {where}")
    if n_bytes < 1 << 16:
        print("looked at", n_bytes, "bytes only")
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
