# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server for tests: name_server.py PORT. Over UDP on 127.0.0.1 it answers every A question with 127.0.0.1, by way of
an alias, and names below "damaged." with answers that lie about their lengths."""
import socket
import struct
import sys


def question_of(packet):
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]])
        at += packet[at] + 1
    return labels, packet[12:at + 5]


def answer_to(packet):
    labels, question = question_of(packet)
    head = packet[:2] + struct.pack(">HHHHH", 0x8180, 1, 2, 0, 0)
    alias = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 8) + b"\x05alias\xc0\x0c"
    address = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
    if labels[-1] == b"damaged":
        # more answers than there are, and one that is longer than the packet
        head = packet[:2] + struct.pack(">HHHHH", 0x8180, 1, 60000, 0, 0)
        alias = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 60000) + b"\x7f"
        address = b""
    return head + question + alias + address


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        packet, peer = server.recvfrom(512)
        server.sendto(answer_to(packet), peer)


main()
