# SPDX-License-Identifier: GPL-2.0-or-later
"""Check what the tap recorded: TLS records and nothing else, and the marker nowhere.

usage: records.py DIRECTORY MARKER      says how much it saw; fails when that was nothing
"""

import pathlib
import sys

KINDS = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data"}


def check(path, data):
    """The number of complete records; a connection may be cut within the last one."""
    at = count = 0
    while len(data) - at >= 5:
        kind, major, length = data[at], data[at + 1], int.from_bytes(data[at + 3 : at + 5], "big")
        if kind not in KINDS or major != 3 or length > 16384 + 2048:
            sys.exit(f"{path}: no TLS record at byte {at}: {data[at:at + 40]!r}")
        at += 5 + length
        count += at <= len(data)
    return count


def main():
    total = 0
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        data = path.read_bytes()
        if sys.argv[2].encode() in data:
            sys.exit(f"{path}: the marker is there in clear")
        total += check(path, data)
    if total == 0:
        sys.exit("the tap saw nothing")
    print(f"{total} records")


main()
