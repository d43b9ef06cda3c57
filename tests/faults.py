"""A proxy in front of a real registry that spoils one request."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_SECONDS = 3.0
FAULTS = (
    "429",
    "500",
    "503",
    "reset before the body",
    "reset after the body",
    "half an answer",
    "wrong digest",
    "slow",
    "hang",
)


@dataclass
class FaultyProxy:
    """`spoil(number, fault)`: what happens to the request with that number, counted from 1."""

    address: str
    requests: list[str] = field(default_factory=list)
    number: int = 0
    fault: str = ""

    def spoil(self, number: int, fault: str) -> None:
        self.requests.clear()
        self.number, self.fault = number, fault


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    lock = threading.Lock()
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            with lock:
                proxy.requests.append(f"{self.command} {self.path.partition('?')[0]}")
                fault = proxy.fault if len(proxy.requests) == proxy.number else ""
            if fault == "reset before the body":
                self._reset()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fault in {"429", "500", "503"}:
                self._answer(int(fault), [("Retry-After", "1")] if fault == "429" else [], b"")
                return
            if fault == "hang":
                stopped.wait(HANG_SECONDS)
                self._reset()
                return
            if fault == "slow":
                time.sleep(0.5)
            status, headers, answer = self._forward(body)
            if fault == "reset after the body":
                self._reset()
            elif fault == "half an answer":
                self._answer(status, headers, answer[: len(answer) // 2], claimed=len(answer) + 10)
                self._reset()
            else:
                if fault == "wrong digest":
                    name = "Docker-Content-Digest"
                    headers = [pair for pair in headers if pair[0] != name]
                    headers.append((name, "sha256:" + "0" * 64))
                self._answer(status, headers, answer)

        do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815  names of http.server

        def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(upstream, timeout=30)
            try:
                headers = dict(self.headers.items())
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                connection.close()

        def _answer(
            self,
            status: int,
            headers: list[tuple[str, str]],
            body: bytes,
            claimed: int | None = None,
        ) -> None:
            self.send_response(status)
            length: Any = next((v for n, v in headers if n.lower() == "content-length"), None)
            if self.command != "HEAD" or length is None:
                length = len(body) if claimed is None else claimed
            for name, value in headers:
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.wfile.flush()

        def _reset(self) -> None:
            """Closes with RST, so that the other side sees a reset and not an end."""
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        handle_error: Callable[..., None] = lambda *_arguments: None  # type: ignore[assignment]

    server = Server(("127.0.0.1", 0), Handler)
    proxy = FaultyProxy(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield proxy
    finally:
        stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
