#!/usr/bin/env python3
"""What the cases need beside a pod, run in the network namespace of a host.

usage: small_servers.py grpc-health PORT
       small_servers.py websocket HOST:PORT KUBECONFIG PATH PROTOCOL
       small_servers.py upgrade HOST:PORT PATH PROTOCOL WORDS      (without TLS; prints what comes back)
"""
import base64
import json
import os
import re
import socket
import ssl
import struct
import sys
import tempfile
import threading

DATA, HEADERS, SETTINGS = 0, 1, 4


def read_all(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def http2_frame(kind, flags, stream, payload):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def literal(name, value):
    """A header field that HPACK leaves as it is."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def answer_health(connection):
    """grpc.health.v1.Health/Check without a library: "down" is NOT_SERVING, all else SERVING."""
    try:
        read_all(connection, len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        connection.sendall(http2_frame(SETTINGS, 0, 0, b""))
        while True:
            head = read_all(connection, 9)
            payload = read_all(connection, struct.unpack("!I", b"\0" + head[:3])[0])
            stream = struct.unpack("!I", head[5:])[0]
            if head[3] == SETTINGS and not head[4] & 1:
                connection.sendall(http2_frame(SETTINGS, 1, 0, b""))
            if head[3] == DATA and head[4] & 1:
                status = b"\x08\x02" if b"down" in payload else b"\x08\x01"
                message = b"\0" + struct.pack("!I", len(status)) + status
                connection.sendall(http2_frame(HEADERS, 4, stream, b"\x88" + literal(b"content-type", b"application/grpc")) +
                                   http2_frame(DATA, 0, stream, message) +
                                   http2_frame(HEADERS, 5, stream, literal(b"grpc-status", b"0")))
    except (EOFError, OSError):
        connection.close()


def serve_health(port):
    listener = socket.create_server(("", port), reuse_port=False)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer_health, args=(connection,), daemon=True).start()


def client_context(kubeconfig):
    """The admin's certificate, out of the kubeconfig."""
    text = open(kubeconfig).read()
    context = ssl._create_unverified_context()
    with tempfile.NamedTemporaryFile() as file:
        for name in ("client-certificate-data", "client-key-data"):
            file.write(base64.b64decode(re.search(rf'"?{name}"?: *"?([A-Za-z0-9+/=]+)', text)[1]))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def messages_of(connection):
    """The payloads of all messages until the close."""
    out = b""
    while True:
        first, length = read_all(connection, 2)
        if length == 126:
            length = struct.unpack("!H", read_all(connection, 2))[0]
        payload = read_all(connection, length)
        if first & 15 == 8:
            return out
        if first & 15 in (1, 2):
            out += payload


def expect_switch(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_all(connection, 1)
    if b" 101 " not in head:
        sys.exit(f"{json.dumps(head.decode())}: {connection.recv(4096).decode()}")


def websocket(where, kubeconfig, path, protocol):
    host, port = where.rsplit(":", 1)
    with client_context(kubeconfig).wrap_socket(socket.create_connection((host, int(port)), 10)) as connection:
        lines = [f"GET {path} HTTP/1.1", f"Host: {where}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        expect_switch(connection)
        sys.stdout.buffer.write(messages_of(connection))


def upgrade(where, path, protocol, words):
    host, port = where.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {where}\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
        expect_switch(connection)
        connection.sendall(words.encode())
        print(read_all(connection, len(words)).decode(), end="")


if __name__ == "__main__":
    if sys.argv[1] == "grpc-health":
        serve_health(int(sys.argv[2]))
    elif sys.argv[1] == "upgrade":
        upgrade(*sys.argv[2:6])
    else:
        websocket(*sys.argv[2:6])
