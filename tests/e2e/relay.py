#!/usr/bin/env python3
"""A TCP relay that adds latency, in order and at full rate: what a link far away does to a worker.

usage: relay.py LISTEN_IP:PORT TARGET_IP:PORT MILLISECONDS   (each way)

It ends what it carries when it ends: SIGKILL is a router that goes away with a reset.
"""
import asyncio
import subprocess
import sys
import time

from machine import run, wait_for

CHUNK_BYTES = 64 << 10
CHUNKS_ON_THE_WAY = 256


class Relay:
    """The relay as a process in a namespace."""

    def __init__(self, namespace, listen, target, milliseconds):
        self.namespace, self.listen, self.process = namespace, listen, None
        self.arguments = [sys.executable, __file__, listen, target, str(milliseconds)]

    def start(self):
        self.process = subprocess.Popen(self.namespace.command(self.arguments), stdin=subprocess.DEVNULL)
        wait_for(lambda: self.listen in run(self.namespace.command(["ss", "-Hltn"])).stdout, 10, f"the relay at {self.listen}")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


async def carry(reader, writer, delay):
    """Every chunk leaves `delay` after it came."""
    queue = asyncio.Queue(CHUNKS_ON_THE_WAY)

    async def receive():
        while data := await reader.read(CHUNK_BYTES):
            await queue.put((time.monotonic() + delay, data))
        await queue.put((time.monotonic() + delay, b""))

    receiving = asyncio.create_task(receive())
    try:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
    finally:
        receiving.cancel()


async def serve(listen, target, delay):
    async def accepted(reader, writer):
        try:
            await asyncio.sleep(delay)
            far_reader, far_writer = await asyncio.open_connection(*target)
        except OSError:
            writer.transport.abort()
            return
        ways = [asyncio.create_task(carry(reader, far_writer, delay)), asyncio.create_task(carry(far_reader, writer, delay))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        for way, end in zip(ways, (far_writer, writer)):
            way.cancel()
            end.transport.abort()

    server = await asyncio.start_server(accepted, *listen)
    await server.serve_forever()


def parse_address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    asyncio.run(serve(parse_address(sys.argv[1]), parse_address(sys.argv[2]), int(sys.argv[3]) / 1000))
