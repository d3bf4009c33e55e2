# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that accepts connections and first waits for something else; and its client, which opens them in turn.

    unserved.py server PORT HOW      unserved.py client PORT

The client opens three connections, each by a blocking connect(), and then sends a line on each, the last first. The
server accepts all of them before it reads from any: by blocking accept() (HOW: accept), or waiting between them for
the listener by poll, select or epoll. Then it reads them in turn, and answers each line in capitals.
"""

import select
import socket
import sys


def wait(listener, how):
    if how == "poll":
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.poll()
    elif how == "select":
        select.select([listener], [], [])
    elif how == "epoll":
        epoll = select.epoll()
        epoll.register(listener, select.EPOLLIN)
        epoll.poll()
        epoll.close()


def serve(port, how):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connections = []
        for _ in range(3):
            wait(listener, how)
            connections.append(listener.accept()[0])
        for connection in connections:
            line = connection.makefile("rb").readline()
            connection.sendall(line.upper())
            connection.close()


def call(port):
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    for i, connection in reversed(list(enumerate(connections))):
        connection.sendall(b"hello %d\n" % i)
    print(b"".join(connection.makefile("rb").read() for connection in connections).decode(), end="")


if sys.argv[1] == "server":
    serve(int(sys.argv[2]), sys.argv[3])
else:
    call(int(sys.argv[2]))
