"""A mail server and a web server that take what they are given and remember it."""

from __future__ import annotations

import base64
import email.policy
import socketserver
import threading
from email import message_from_bytes
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class _Sink:
    """Runs a socketserver on a free port in a thread."""

    def __init__(self, server: socketserver.BaseServer) -> None:
        self._server = server
        self.port: int = server.server_address[1]  # type: ignore[index,assignment]  # an IPv4 address
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class HTTPSink(_Sink):
    """Answers each POST with `status`; `received` holds (path, fields by lower-case name, body)."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sink.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(sink.status)
                if sink.status == 301:
                    self.send_header("Location", f"{sink.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class MailSink(_Sink):
    """Speaks as much SMTP as a client needs; `received` holds (sender, recipients, message). It may want a `password`."""

    def __init__(self) -> None:
        self.received: list[tuple[str, list[str], EmailMessage]] = []
        self.password = ""
        self.refuses = False
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                sink._talk(self)

        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))

    def _talk(self, peer: socketserver.StreamRequestHandler) -> None:
        sender, recipients = "", []

        def say(line: str) -> None:
            peer.wfile.write(line.encode() + b"\r\n")

        say("220 sink")
        while line := peer.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    say("250-sink")
                    say("250 AUTH PLAIN")
                case "AUTH":
                    good = base64.b64decode(rest.split()[1]).decode().split("\0")[2] == self.password
                    say("235 welcome" if good else "535 no")
                case "MAIL":
                    sender = line.partition("<")[2].partition(">")[0]
                    say("550 not you" if self.refuses else "250 ok")
                case "RCPT":
                    recipients.append(line.partition("<")[2].partition(">")[0])
                    say("250 ok")
                case "DATA":
                    say("354 go on")
                    self.received.append((sender, recipients, self._message(peer)))
                    say("250 ok")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")

    @staticmethod
    def _message(peer: socketserver.StreamRequestHandler) -> EmailMessage:
        lines = []
        while (line := peer.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        message = message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message
