# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends standard input, half-closes, prints what comes back: call.py socket|asyncio PORT"""

import asyncio
import os
import shutil
import socket
import sys
import threading

way, address = sys.argv[1], ("127.0.0.1", int(sys.argv[2]))


def blocking():
    with socket.create_connection(address, 25) as connection:

        def send():
            with os.fdopen(0, "rb") as file:
                connection.sendfile(file)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        with connection.makefile("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
        sender.join()


async def streams():
    reader, writer = await asyncio.open_connection(*address)
    data = sys.stdin.buffer.read()

    async def send():
        for at in range(0, len(data), 50000):
            writer.write(data[at : at + 50000])
            await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    while part := await reader.read(30000):
        sys.stdout.buffer.write(part)
    await sending
    writer.close()
    await writer.wait_closed()


if way == "socket":
    blocking()
else:
    asyncio.run(streams())
sys.stdout.flush()
