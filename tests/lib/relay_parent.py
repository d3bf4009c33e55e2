# SPDX-License-Identifier: GPL-2.0-or-later
"""A program whose TLS connection becomes the standard input and output of another one, which cannot load the shim.

usage: relay_parent.py listen|dial PORT HOW PROGRAM ARG...

The connection: accepted on PORT (repeatedly, for ever), or made to 127.0.0.1:PORT (once, then the program ends).

  fork      fork, dup2, exec; the connection is closed here at once, as a server does
  output    the same with standard output alone; the connection is kept, and "after" is said on it at the end
  vfork     subprocess, which uses vfork; standard error too
  spawn     posix_spawn with file actions
  inherit   posix_spawn without: the connection has been dup2()ed to 0 and 1 here
  wrong     exec fails, in the process that has the connection as standard input and output; it says "still here" on it
            and goes on to answer one line
  missing   the same by posix_spawn
Says how the child ended, and that wait() knows of nobody else.
"""

import os
import signal
import socket
import subprocess
import sys

ROLE, PORT, HOW, *COMMAND = sys.argv[1:]
told = []


def say(*words):
    os.write(2, (" ".join(map(str, words)) + "\n").encode())


def child_of(fd):
    if HOW in ("fork", "output"):
        pid = os.fork()
        if pid == 0:
            if HOW == "fork":
                os.dup2(fd, 0)
            os.dup2(fd, 1)
            os.execv(COMMAND[0], COMMAND)
        return pid
    if HOW == "vfork":
        process = subprocess.Popen(COMMAND, stdin=fd, stdout=fd, stderr=fd)
        process.returncode = 0  # it is waited for here
        return process.pid
    if HOW == "spawn":
        actions = [(os.POSIX_SPAWN_DUP2, fd, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_CLOSE, fd)]
        return os.posix_spawn(COMMAND[0], COMMAND, os.environ, file_actions=actions)
    saved = os.dup(0), os.dup(1)
    os.dup2(fd, 0)
    os.dup2(fd, 1)
    pid = os.posix_spawn(COMMAND[0], COMMAND, os.environ)
    os.dup2(saved[0], 0)
    os.dup2(saved[1], 1)
    return pid


def no_exec(connection):
    """Far too long an argument: E2BIG, from the kernel."""
    command = [COMMAND[0], "x" * (1 << 20)]
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    try:
        if HOW == "wrong":
            os.execv(command[0], command)
        else:
            os.posix_spawn(command[0], command, os.environ)
    except OSError as error:
        os.write(1, f"still here: {error.strerror}\n".encode())
    os.write(1, b"heard " + os.read(0, 100))
    os._exit(0)


def wait_for(pid):
    while True:
        try:
            status = os.waitpid(pid, 0)[1]
            break
        except InterruptedError:
            pass
    try:
        others = os.wait()
    except ChildProcessError:
        others = "none"
    say("child", os.waitstatus_to_exitcode(status), "others", others, "told", len(told))


def serve(connection):
    told.clear()
    connection.setblocking(True)
    if HOW in ("wrong", "missing"):
        pid = os.fork()
        if pid == 0:
            no_exec(connection)
        connection.close()
    else:
        pid = child_of(connection.fileno())
        if HOW != "output":
            connection.close()
    wait_for(pid)
    if HOW == "output":
        connection.sendall(b"after\n")
        connection.close()


def main():
    signal.signal(signal.SIGCHLD, lambda *_: told.append(1))
    if ROLE == "dial":
        serve(socket.create_connection(("127.0.0.1", int(PORT))))
        return
    listener = socket.create_server(("127.0.0.1", int(PORT)), backlog=64)
    while True:
        serve(listener.accept()[0])


main()
