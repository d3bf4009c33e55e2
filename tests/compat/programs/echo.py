# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends back what comes until the client half-closes: echo.py threads|selector|forking|asyncio|twisted PORT"""

import asyncio
import selectors
import socket
import socketserver
import sys
import threading

way, address = sys.argv[1], ("127.0.0.1", int(sys.argv[2]))


def listen():
    return socket.create_server(address, backlog=64)


def threads():
    def serve(connection):
        with connection:
            buffer = bytearray(5000)
            while count := connection.recv_into(buffer):
                connection.sendall(memoryview(buffer)[:count])

    listener = listen()
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def selector():
    chooser, listener, pending = selectors.DefaultSelector(), listen(), {}
    listener.setblocking(False)
    chooser.register(listener, selectors.EVENT_READ)

    def ready(connection):
        waiting = pending[connection]
        if not waiting["end"] and len(waiting["data"]) < 1 << 16:
            try:
                data = connection.recv(30000)
                waiting["data"] += data
                waiting["end"] = not data
            except BlockingIOError:
                pass
        if waiting["data"]:
            try:
                del waiting["data"][: connection.send(waiting["data"])]
            except BlockingIOError:
                pass
        if waiting["end"] and not waiting["data"]:
            chooser.unregister(connection)
            del pending[connection]
            connection.close()
            return
        wanted = selectors.EVENT_WRITE if waiting["data"] else 0
        if not waiting["end"] and len(waiting["data"]) < 1 << 16:
            wanted |= selectors.EVENT_READ
        chooser.modify(connection, wanted)

    while True:
        for key, _ in chooser.select():
            if key.fileobj is listener:
                connection = listener.accept()[0]
                connection.setblocking(False)
                pending[connection] = {"data": bytearray(), "end": False}
                chooser.register(connection, selectors.EVENT_READ)
            else:
                ready(key.fileobj)


def forking():
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while data := self.rfile.read1(10000):
                self.wfile.write(data)

    socketserver.ForkingTCPServer.allow_reuse_address = True
    socketserver.ForkingTCPServer(address, Handler).serve_forever(0.2)


def with_asyncio():
    async def serve(reader, writer):
        while data := await reader.read(10000):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, *address)
        await server.serve_forever()

    asyncio.run(main())


def twisted():
    from twisted.internet import protocol, reactor
    from twisted.internet.interfaces import IHalfCloseableProtocol
    from zope.interface import implementer

    @implementer(IHalfCloseableProtocol)
    class Echo(protocol.Protocol):
        def dataReceived(self, data):
            self.transport.write(data)

        def readConnectionLost(self):
            self.transport.loseConnection()

        def writeConnectionLost(self):
            pass

    factory = protocol.Factory()
    factory.protocol = Echo
    reactor.listenTCP(address[1], factory, interface=address[0])
    reactor.run()


{"threads": threads, "selector": selector, "forking": forking, "asyncio": with_asyncio, "twisted": twisted}[way]()
