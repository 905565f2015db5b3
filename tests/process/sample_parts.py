"""Small parts for the process shells: a service that speaks just enough HTTP, a manager that a test can talk to."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge.certs.publisher import HTTP01, ChallengeAnswer, Publisher
from edge.certs.requests import Answer, Request
from edge.certs.status import CertificateStatus
from edge.config.maintenance import MaintenanceNotice
from edge.config.moves import Move
from edge.config.purge import Purge
from edge.config.schema import Config
from edge.errors import CertificateError, StartError
from edge.net.listening import ListeningSocket
from edge.process.service import Parts
from edge.telemetry.traffic import Traffic
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer


class SampleConnection:
    """Answers one request, then closes. `GET /hold` is answered only when one more byte has come."""

    def __init__(self, service: SampleService, sock: socket.socket) -> None:
        self.service = service
        self.sock = sock
        self.received = b""
        sock.setblocking(False)
        service.connections.add(self)
        service.loop.add_reader(sock, self.readable)

    def readable(self) -> None:
        data = self.sock.recv(65536)
        self.received += data
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if not data:
            self.close()
        elif end and (rest or b"/hold" not in head):
            body = json.dumps(self.service.status()).encode()
            self.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            self.close()

    def close(self) -> None:
        self.service.loop.remove_reader(self.sock)
        self.sock.close()
        self.service.connections.discard(self)


class SampleService:
    """The answer to every request tells what this worker knows and is."""

    def __init__(
        self, config: Config, listeners: Sequence[ListeningSocket], base_context: Any, loop: asyncio.AbstractEventLoop
    ) -> None:
        if "cannot-start.test" in config.names:
            raise StartError("the sample cannot start", "take another name")
        self.config = config
        self.listeners = listeners
        self.base_context = base_context
        self.loop = loop
        self.connections: set[SampleConnection] = set()
        self.certificates: dict[tuple[str, ...], CertifiedKey] = {}
        self.answers: dict[int, ChallengeAnswer] = {}
        self.reopened = 0
        self.moves: list[Move] = []
        self.notice: MaintenanceNotice | None = None
        self.purges: tuple[Purge, ...] = ()
        self.watched: list[socket.socket] = []

    @property
    def work_directories(self) -> Sequence[str]:
        return ()

    def status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "uid": os.getuid(),
            "names": self.config.names,
            "certificates": sorted(key.serial for key in self.certificates.values()),
            "tokens": [answer.token for answer in self.answers.values() if isinstance(answer, HTTP01)],
            "reopened": self.reopened,
            "maintenance": self.notice is not None,
            "context": self.base_context,
            "descriptors": sorted(_descriptors()),
        }

    def start(self) -> None:
        for listener in self.listeners:
            self.loop.add_reader(listener.sock, self.accept, listener.sock)
            self.watched.append(listener.sock)

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:  # another worker was faster
            return
        SampleConnection(self, sock)

    def begin_drain(self) -> None:
        for sock in self.watched:
            self.loop.remove_reader(sock)

    @property
    def is_drained(self) -> bool:
        return not self.connections

    def move_upstream(self, move: Move) -> None:
        self.moves.append(move)

    def answer_waiting(self) -> None:
        pass

    def abort_all(self) -> None:
        for connection in list(self.connections):
            connection.close()

    def serve_certificate(self, certified_key: CertifiedKey) -> None:
        if "refused.test" in certified_key.names:
            raise CertificateError("key and chain do not fit")
        self.certificates[certified_key.names] = certified_key

    def drop_certificate(self, names: tuple[str, ...]) -> None:
        self.certificates.pop(names, None)

    def present(self, number: int, answer: ChallengeAnswer) -> None:
        self.answers[number] = answer

    def clean_up(self, number: int) -> None:
        self.answers.pop(number, None)

    def use_keeper(self, want: Callable[[str, str], None] | None) -> None:
        pass

    def offer_certificate(self, certified_key: CertifiedKey) -> None:
        pass

    def answer_name(self, answer: NameAnswer) -> None:
        pass

    def maintain(self, notice: MaintenanceNotice | None) -> None:
        self.notice = notice

    def purge(self, purges: tuple[Purge, ...]) -> None:
        self.purges = purges

    def reopen_logs(self) -> None:
        self.reopened += 1

    def traffic(self) -> Traffic:
        return Traffic(len(self.connections))

    def tick(self, now: float) -> None:
        pass

    def close(self) -> None:
        pass


class SampleManager:
    """Serves a made-up certificate for each name, and obeys one-line commands on the unix socket `STORAGE/keeper.sock`."""

    def __init__(self, config: Config, publisher: Publisher) -> None:
        self.config = config
        self.publisher = publisher
        self.path = Path(config.storage) / "keeper.sock"

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.reconfigure(self.config)
        self.server = await asyncio.start_unix_server(self.serve, self.path)

    def reconfigure(self, config: Config) -> None:
        for name in self.config.names:
            if name not in config.names:
                self.publisher.withdraw_certificate((name,))
        self.config = config
        for name in config.names:
            self.publisher.replace(CertifiedKey((name,), b"chain", b"key", f"serial-of-{name}", 0.0))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command, _, token = (await reader.readline()).decode().strip().partition(" ")
        answer = HTTP01("a.test", token, "authorization")
        try:
            if command == "present":
                await self.publisher.present(answer)
            elif command == "clean_up":
                self.publisher.clean_up(answer)
            reply = f"done {os.getpid()}"
        except CertificateError as problem:
            reply = f"failed: {problem}"
        writer.write(reply.encode())
        writer.close()

    def want(self, name: str, client: str, caller: int, reply: Callable[[CertifiedKey | NameAnswer], None]) -> None:
        pass

    async def perform(self, request: Request) -> Answer:
        return Answer(True, (f"performed {request}",))

    def statuses(self) -> list[CertificateStatus]:
        return []

    def events(self) -> dict[tuple[str, str, str], int]:
        return {}

    async def stop(self) -> None:
        self.server.close()


def _descriptors() -> list[str]:
    """What this process has open, by kind; the listing's own descriptor is gone before it can be looked at."""
    kinds = []
    for number in os.listdir("/proc/self/fd"):
        try:
            kinds.append(os.readlink(f"/proc/self/fd/{number}").partition(":")[0])
        except FileNotFoundError:
            continue
    return kinds


PARTS = Parts(SampleService, SampleManager, lambda: "base context")
