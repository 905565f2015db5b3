"""A storage in memory, a CA with real signatures, and a publisher that remembers: the world around the manager."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge.certs.issuer import ErrorClass, IssueFailed, Journal, Progress, RenewalAnswer, RenewalInfo
from edge.certs.publisher import ChallengeAnswer, Publisher
from edge.config.acme_schema import USUAL, CertificateOptions
from edge.errors import StorageError
from edge.storage.contract import Changes
from edge.storage.keys import area_of
from edge.tls.certified_key import CertifiedKey


class Crash(BaseException):
    """The process dies here: no handler runs that a real crash would not run either."""


def disk_full() -> StorageError:
    return StorageError("no space left on the disk")


class MemoryStorage:
    """Implements `storage.contract.Storage`. `before` and `after` are called around each change and may raise."""

    follow_every = 3600.0

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self.locked: set[str] = set()
        self.quarantined: dict[str, str] = {}
        self.before: Callable[[str, str], None] = lambda _operation, _key: None
        self.after: Callable[[str, str], None] = lambda _operation, _key: None

    def survivor(self) -> MemoryStorage:
        """What a new process finds: the same values, no locks, no faults."""
        copy = MemoryStorage()
        copy.files, copy.links, copy.quarantined = dict(self.files), dict(self.links), dict(self.quarantined)
        return copy

    def _change(self, operation: str, key: str, change: Callable[[], object]) -> None:
        self.before(operation, key)
        change()
        self.after(operation, key)

    def load(self, key: str) -> bytes | None:
        self.before("load", key)
        return self.files.get(key)

    def store(self, key: str, value: bytes) -> None:
        self._change("store", key, lambda: self.files.update({key: value}))

    def store_directory(self, key: str, values: Mapping[str, bytes]) -> None:
        if self._below(key):
            raise StorageError(f"{key} exists")
        files = {f"{key}/{name}": value for name, value in values.items()}
        self._change("store_directory", key, lambda: self.files.update(files))

    def point(self, key: str, target: str) -> None:
        self._change("point", key, lambda: self.links.update({key: target}))

    def resolve(self, key: str) -> str | None:
        self.before("resolve", key)
        return self.links.get(key)

    def delete(self, key: str) -> None:
        self._change("delete", key, lambda: self._forget(key))

    def list(self, key: str) -> list[str]:
        self.before("list", key)
        return sorted({path.removeprefix(f"{key}/").split("/")[0] for path in self._below(key)})

    def quarantine(self, key: str, reason: str) -> None:
        self._change("quarantine", key, lambda: self._forget(key))
        self.quarantined[key] = reason

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[MemoryStorage | None]:
        self.before("lock", name)
        if name in self.locked:
            yield None
            return
        self.locked.add(name)
        try:
            yield self
        finally:
            self.locked.discard(name)

    def changes(self, since: object) -> Changes:
        values = {**self.files, **{key: target.encode() for key, target in self.links.items()}}
        before = since if isinstance(since, dict) else {}
        keys = {key for key in values.keys() | before.keys() if values.get(key) != before.get(key)}
        return Changes(values, frozenset(map(area_of, keys)))

    def _forget(self, key: str) -> None:
        for path in [key, *self._below(key)]:
            self.files.pop(path, None)
            self.links.pop(path, None)

    def _below(self, key: str) -> Sequence[str]:
        return [path for path in (*self.files, *self.links) if path.startswith(f"{key}/")]


def fail_on(operation: str, key_part: str = "") -> Callable[[str, str], None]:
    """A `before` that fails one kind of call."""

    def check(called: str, key: str) -> None:
        if called == operation and key_part in key:
            raise disk_full()

    return check


@dataclass
class Order:
    names: tuple[str, ...]
    chain: bytes | None = None


@dataclass
class FakeCA:
    """A CA with real keys. It reuses a pending order for the same names, as Let's Encrypt does."""

    clock: Callable[[], float]
    lifetime: float = 90 * 86400.0
    backdated: float = 0.0
    name: str = "Fake CA"
    orders: dict[str, Order] = field(default_factory=dict)
    signed_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        self.serials = itertools.count(0x1000)
        self.intermediate = self._intermediate()

    def new_order(self, names: tuple[str, ...]) -> str:
        for url, order in self.orders.items():
            if order.names == names and order.chain is None:
                return url
        url = f"https://ca.example/order/{len(self.orders) + 1}"
        self.orders[url] = Order(names)
        return url

    def finalize(self, url: str, csr: bytes) -> None:
        self.orders[url].chain = self.sign(x509.load_der_x509_csr(csr))

    def sign(self, request: x509.CertificateSigningRequest) -> bytes:
        now = self.clock()
        self.signed_at.append(now)
        san = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        leaf = (
            self._builder(x509.Name([]), now - self.backdated, now - self.backdated + self.lifetime)
            .issuer_name(self.title)
            .public_key(request.public_key())
            .add_extension(san, critical=True)
            .sign(self.key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.PEM) + self.intermediate

    def _builder(self, subject: x509.Name, start: float, end: float) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .serial_number(next(self.serials))
            .not_valid_before(datetime.fromtimestamp(start, UTC))
            .not_valid_after(datetime.fromtimestamp(end, UTC))
        )

    def _intermediate(self) -> bytes:
        return (
            self._builder(self.title, 0.0, 4e9)
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fake Root")]))
            .public_key(self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )


class ScriptedIssuer:
    """Implements `issuer.Issuer` with a `FakeCA`. `script` holds failures for the next attempts."""

    def __init__(self, ca: FakeCA, *, seconds: float = 1.0) -> None:
        self.ca = ca
        self.name = ca.name
        self.seconds = seconds
        self.script: list[IssueFailed] = []
        self.always: IssueFailed | None = None
        self.window: Callable[[bytes], RenewalInfo | None] = lambda _chain: None
        self.poll_failure: IssueFailed | None = None
        self.attempts: list[float] = []
        self.rehearsals: list[float] = []
        self.rehearsal_failure: IssueFailed | None = None
        self.has_staging = False
        self.polls: list[float] = []
        self.replaced: list[bytes | None] = []
        self.at_once = self.most_at_once = 0
        self.closed = False
        self.revoked: list[tuple[bytes, int]] = []
        self.revocation_failure: IssueFailed | None = None
        self.account_changes: list[str] = []

    async def issue(
        self,
        names: tuple[str, ...],
        journal: Journal,
        publisher: Publisher,
        *,
        replaces: bytes | None,
        progress: Progress,
        options: CertificateOptions = USUAL,
    ) -> bytes:
        self.attempts.append(self.ca.clock())
        self.replaced.append(replaces)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._order(names, journal, progress)
        finally:
            self.at_once -= 1

    async def _order(self, names: tuple[str, ...], journal: Journal, progress: Progress) -> bytes:
        failure = self.always or (self.script.pop(0) if self.script else None)
        await asyncio.sleep(self.seconds / 2)
        if failure:
            raise failure
        if journal.order_url and journal.order_url not in self.ca.orders:
            journal.order_dropped()
        if not journal.order_url:
            journal.order_created(self.ca.new_order(names))
        progress("order")
        await asyncio.sleep(self.seconds / 2)
        order = self.ca.orders[journal.order_url]
        if order.chain is None:
            journal.finalizing()
            self.ca.finalize(journal.order_url, journal.csr)
        progress("issued")
        assert order.chain
        return order.chain

    async def rehearse(
        self, names: tuple[str, ...], publisher: Publisher, *, options: CertificateOptions = USUAL
    ) -> bool:
        self.rehearsals.append(self.ca.clock())
        if self.rehearsal_failure:
            raise self.rehearsal_failure
        return self.has_staging

    async def renewal_info(self, chain: bytes) -> RenewalAnswer:
        self.polls.append(self.ca.clock())
        if self.poll_failure:
            raise self.poll_failure
        return RenewalAnswer(self.window(chain), self.ca.clock() + 6 * 3600.0)

    async def revoke(self, chain: bytes, reason: int) -> None:
        if self.revocation_failure:
            raise self.revocation_failure
        self.revoked.append((chain, reason))

    async def change_account_key(self) -> None:
        self.account_changes.append("new-key")

    async def deactivate_account(self) -> None:
        self.account_changes.append("deactivate")

    def put_account_aside(self) -> None:
        self.account_changes.append("replace")

    async def close(self) -> None:
        self.closed = True


class RecordingPublisher:
    """Implements `publisher.Publisher`; `log` holds (time, certified key) of every publication."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.log: list[tuple[float, CertifiedKey]] = []
        self.serving: dict[str, CertifiedKey] = {}

    def replace(self, certified_key: CertifiedKey) -> None:
        self.log.append((self.clock(), certified_key))
        self.serving.update(dict.fromkeys(certified_key.names, certified_key))

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        for name in names:
            del self.serving[name]

    def offer(self, certified_key: CertifiedKey) -> None:
        self.log.append((self.clock(), certified_key))

    async def present(self, answer: ChallengeAnswer) -> None:
        raise AssertionError("no test here proves a name")

    def clean_up(self, answer: ChallengeAnswer) -> None:
        raise AssertionError("no test here proves a name")

    def challenge_kinds(self) -> frozenset[Literal["http-01", "tls-alpn-01"]]:
        return frozenset({"http-01"})


def failure(error_class: ErrorClass, retry_after: float | None = None) -> IssueFailed:
    """A failed attempt of this class."""
    return IssueFailed(error_class, "challenge", f"scripted {error_class}", retry_after=retry_after)
