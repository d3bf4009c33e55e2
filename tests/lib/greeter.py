# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain, non-blocking SMTP-like server that speaks first: greeter.py PORT. Prints the mail that it gets."""

import asyncio
import sys


async def serve(reader, writer):
    writer.write(b"220 ready when you are\r\n")
    in_data = False
    while line := await reader.readline():
        text = line.decode().rstrip("\r\n")
        if in_data:
            print(text, flush=True)
            in_data = text != "."
            if not in_data:
                writer.write(b"250 taken\r\n")
        elif text == "DATA":
            in_data = True
            writer.write(b"354 go on\r\n")
        elif text == "QUIT":
            writer.write(b"221 bye\r\n")
            break
        else:
            writer.write(f"250 {text}\r\n".encode())
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
