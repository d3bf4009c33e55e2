# SPDX-License-Identifier: GPL-2.0-or-later
"""A parent and its child are client and server: family.py CASE. Prints what the server got, and the child's end."""

import os
import select
import socket
import sys
import time

CASE = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
told, tell = os.pipe()


def connect():
    if CASE != "told-nonblock":
        return socket.create_connection(address)
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(address)
    assert select.select([], [client], [], 10)[1]
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    client.setblocking(True)
    return client


def serve():
    connection = listener.accept()[0]
    data = connection.recv(100)
    connection.sendall(data.upper())
    return connection, data


def in_child(function):
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return pid


def tells_and_talks():
    if CASE == "told-closed":
        listener.close()
    client = connect()
    os.write(tell, b"x")
    client.sendall(b"hello")
    assert client.recv(100) == b"HELLO"


def turns():
    client = connect()
    client.sendall(b"hello")
    os.close(tell)
    os.read(told, 1)  # until the parent is done
    client.close()


def leaves():
    with connect() as client:
        client.sendall(b"hello" * 1000)


if CASE.startswith("told"):
    in_child(tells_and_talks)
    os.read(told, 1)
    print(serve()[1])
elif CASE == "turns":
    in_child(turns)
    time.sleep(0.5)
    print(serve()[1])
    os.close(tell)
elif CASE == "gone":
    in_child(leaves)
    print(os.wait()[1])
    with listener.accept()[0].makefile("rb") as file:
        print(len(file.read()))
elif CASE == "before":
    client = connect()
    in_child(lambda: (client.close(), serve()))
    listener.close()
    client.sendall(b"hello")
    print(client.recv(100))
elif CASE == "waits":
    in_child(lambda: (time.sleep(0.4), serve(), os.write(tell, b"x")))
    client = connect()
    client.sendall(b"hello")
    os.read(told, 1)
    print(client.recv(100))
if CASE != "gone":
    print(os.wait()[1])
