"""What `edge certs` shows: a pure read of storage, for use while a keeper runs or not. Nothing is repaired here."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edge.certs.backoff import believable
from edge.certs.chain import Leaf
from edge.certs.state import CertificateState, LastError, parse_state
from edge.certs.store import CertificateStore
from edge.errors import CertificateError
from edge.storage.contract import Storage


class CertificateStatus(Struct, frozen=True):
    """One certificate. Times are POSIX seconds; None where there is none.

    `state`: valid | expired | missing (none issued yet) | damaged (the files cannot be used). `in_use` is False for names
    that have left the configuration. `last_error` is one sentence.
    """

    directory: str
    names: tuple[str, ...]
    state: Literal["valid", "expired", "missing", "damaged"]
    issuer: str
    in_use: bool
    not_after: float | None = None
    renew_at: float | None = None
    renew_reason: str = ""
    last_error: str = ""
    failures: int = 0
    next_attempt: float | None = None


def read_certificates(storage: Storage, now: float) -> list[CertificateStatus]:
    """All certificates on storage, in the order of their directories. Raises: StorageError."""
    return [_read(storage, directory, now) for directory in storage.list("certs")]


class _OnDisk(Struct, frozen=True):
    """What the generations of one certificate amount to."""

    issuer: str = ""
    leaf: Leaf | None = None
    is_damaged: bool = False

    def state(self, now: float) -> Literal["valid", "expired", "missing", "damaged"]:
        if self.leaf is not None:
            return "valid" if self.leaf.not_after > now else "expired"
        return "damaged" if self.is_damaged else "missing"


def _read(storage: Storage, directory: str, now: float) -> CertificateStatus:
    memory, found = _memory(storage, directory), _generations(storage, directory)
    leaf = found.leaf
    is_planned = leaf is not None and memory.renew_at > 0 and memory.serial == leaf.serial
    return CertificateStatus(
        directory=directory,
        names=memory.names or (leaf.names if leaf else ()),
        state=found.state(now),
        issuer=found.issuer or memory.ca,
        in_use=memory.in_use,
        not_after=leaf.not_after if leaf else None,
        renew_at=memory.renew_at if is_planned else None,
        renew_reason=memory.renew_reason if is_planned else "",
        last_error=_in_words(memory.last_error) if memory.failures else "",
        failures=memory.failures,
        next_attempt=max(believable(memory.next_attempt, now), now) if memory.failures else None,
    )


def _memory(storage: Storage, directory: str) -> CertificateState:
    try:
        return parse_state(storage.load(f"certs/{directory}/state.json") or b"{}")
    except CertificateError:
        return CertificateState()


def _generations(storage: Storage, directory: str) -> _OnDisk:
    store = CertificateStore(storage, directory, ())
    generations = store.generations()
    for generation in generations:
        try:
            stored = store.read(generation)
        except CertificateError:
            continue
        return _OnDisk(stored.issuer, stored.leaf)
    return _OnDisk(is_damaged=bool(generations))


def _in_words(error: LastError | None) -> str:
    return f"{error.phase}: {error.detail}" if error else ""
