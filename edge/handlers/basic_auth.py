"""Basic authentication (RFC 7617), checked here and not passed on.

A right password is remembered for a while under a keyed digest, so that a page with fifty assets costs one slow hash and fifty
quick ones. The slow one runs in a thread, a few at a time: passwords are for strangers to send, cores are not for them to take.

    no Authorization field, or another scheme     401 with a challenge
    remembered                                    on, at once
    anything else                                 wait for a thread ── right: on ── wrong: 401 ── too many wait: 503
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

from msgspec import structs

from edge.config.password import PasswordHash, is_right, parse_hash
from edge.config.schema import Authentication
from edge.errors import HTTPError
from edge.handlers.error_page import respond_error
from edge.http.exchange import Exchange, Handler

REMEMBERED: Final = 60.0
"""Seconds for which a verdict counts without another look; bounds how long a removed user of an old generation stays."""

MAX_REMEMBERED: Final = 1024
"""Credentials with a verdict; all are forgotten at once beyond."""

MAX_WAITING: Final = 32
"""Checks under way or waiting in a worker, about a second's work; 503 beyond."""

THREADS: Final = 1
"""A worker is meant to use one core; the event loop goes on meanwhile because hashing lets go of the interpreter."""

MAX_CREDENTIALS: Final = 2048
"""Bytes of an Authorization value that are worth decoding."""

Check: TypeAlias = Callable[[bytes, bytes], bool]


class Verifier:
    """Knows the users of one `Authentication`, and for a while who was right."""

    def __init__(self, auth: Authentication, loop: asyncio.AbstractEventLoop) -> None:
        self._hashes = {user.name.encode(): parse_hash(user.hash) for user in auth.users}
        known = next(iter(self._hashes.values()))
        self._nobody = structs.replace(known, salt=secrets.token_bytes(16), digest=secrets.token_bytes(32))
        self._key = secrets.token_bytes(32)
        self._verdicts: dict[bytes, tuple[float, bool]] = {}
        self._loop = loop
        self._threads = ThreadPoolExecutor(THREADS, "password")
        self._waiting = 0

    def __repr__(self) -> str:
        return f"<Verifier {len(self._hashes)} users, {len(self._verdicts)} verdicts, {self._waiting} waiting>"

    def remembered(self, value: bytes) -> bool | None:
        """The verdict on a field value, if there is one."""
        known = self._verdicts.get(self._digest(value))
        return known[1] if known is not None and self._loop.time() < known[0] else None

    def verify(self, value: bytes, done: Callable[[bool], None]) -> None:
        """Call `done` with the verdict, later. Raises: HTTPError 503 when too many wait already."""
        if self._waiting >= MAX_WAITING:
            raise HTTPError(503, "credentials-busy", retry_after=2)
        self._waiting += 1
        future = self._loop.run_in_executor(self._threads, self._check, value)
        future.add_done_callback(lambda result: self._decided(value, result, done))

    def close(self) -> None:
        """Let the thread end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _decided(self, value: bytes, result: asyncio.Future[bool], done: Callable[[bool], None]) -> None:
        self._waiting -= 1
        if result.cancelled():
            return
        verdict = result.result()
        if len(self._verdicts) >= MAX_REMEMBERED:
            self._verdicts.clear()
        self._verdicts[self._digest(value)] = self._loop.time() + REMEMBERED, verdict
        done(verdict)

    def _check(self, value: bytes) -> bool:
        """In a thread. An unknown name takes as long as a known one."""
        name, password = parse_credentials(value)
        known: PasswordHash | None = self._hashes.get(name)
        return is_right(password, known or self._nobody) and known is not None

    def _digest(self, value: bytes) -> bytes:
        return hashlib.blake2b(value, key=self._key, digest_size=16).digest()


def is_basic(value: bytes) -> bool:
    """Whether an Authorization value could hold name and password."""
    return value[:6].lower() == b"basic " and len(value) <= MAX_CREDENTIALS


def parse_credentials(value: bytes) -> tuple[bytes, bytes]:
    """Name and password in an Authorization value for which `is_basic`; empty ones if it cannot be read (RFC 7617 §2)."""
    try:
        name, colon, password = base64.b64decode(value[6:].strip(), validate=True).partition(b":")
    except binascii.Error:
        return b"", b""
    return (name, password) if colon else (b"", b"")


class BasicAuth:
    """A handler in front of another."""

    def __init__(self, auth: Authentication, verifier: Verifier, handler: Handler) -> None:
        realm = auth.realm.replace("\\", "\\\\").replace('"', '\\"')
        self._challenge = ((b"www-authenticate", f'Basic realm="{realm}", charset="UTF-8"'.encode()),)
        self._verifier = verifier
        self._handler = handler

    def __call__(self, exchange: Exchange) -> None:
        """Hand on, now or when the password has been checked. Raises: HTTPError 401, 503."""
        value = exchange.request.field(b"authorization")
        if value is None or not is_basic(value):
            raise HTTPError(401, "credentials-needed", fields=self._challenge)
        verdict = self._verifier.remembered(value)
        if verdict is None:
            _Waiting(exchange, value, self)
        else:
            self.go_on(exchange, verdict)

    def verify(self, value: bytes, done: Callable[[bool], None]) -> None:
        """See `Verifier.verify`."""
        self._verifier.verify(value, done)

    def go_on(self, exchange: Exchange, is_verified: bool) -> None:
        """Hand on without the password, which is for nobody else. Raises: HTTPError 401."""
        if not is_verified:
            raise HTTPError(401, "credentials-wrong", fields=self._challenge)
        fields = tuple(line for line in exchange.request.fields if line[0] != b"authorization")
        exchange.request = structs.replace(exchange.request, fields=fields)
        self._handler(exchange)


class _Waiting:
    """An exchange whose password is being checked. Its body waits with its client."""

    def __init__(self, exchange: Exchange, value: bytes, auth: BasicAuth) -> None:
        self._exchange = exchange
        self._auth = auth
        self._gone = False
        auth.verify(value, self._decided)
        exchange.receiver = self
        exchange.pause_body()

    def _decided(self, is_verified: bool) -> None:
        if self._gone:
            return
        exchange = self._exchange
        exchange.receiver = None
        try:
            self._auth.go_on(exchange, is_verified)
        except HTTPError as error:
            respond_error(exchange, error)
        exchange.resume_body()

    def body_received(self, data: bytes) -> None:
        """Not before `resume_body`."""

    def body_ended(self) -> None:
        """Not before `resume_body`."""

    def resume_sending(self) -> None:
        """Nothing is being sent."""

    def exchange_aborted(self, reason: str) -> None:
        """Nobody waits for the verdict; it is remembered all the same."""
        self._gone = True
