"""What `edge certs`, the metrics and the notices know about each certificate: one value, made from storage or from memory.

Reading storage is pure, for use while a keeper runs or not: nothing is repaired here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from edge.certs.backoff import believable
from edge.certs.budget import Budget
from edge.certs.chain import Leaf
from edge.certs.issuer import ErrorClass
from edge.certs.ledger import Entry, tally_of
from edge.certs.record import CertificateRecord
from edge.certs.state import CertificateState, LastError, parse_state
from edge.certs.store import CertificateStore
from edge.errors import CertificateError
from edge.storage.contract import Storage

Health: TypeAlias = Literal["valid", "expired", "missing", "damaged"]

ALARM_SHARE = 0.25
"""Less of the lifetime left than this: renewal, planned at a third or at a half, has been failing for some time."""

MOST_HISTORY = 20
"""Entries of the ledger that are shown with a certificate."""


class CertificateStatus(Struct, frozen=True):
    """One certificate. Times are POSIX seconds; None where there is none.

    `state`: valid | expired | missing (none issued yet) | damaged (the files cannot be used). `in_use` is False for names
    that have left the configuration. `last_error` is one sentence, `last_hint` says what to do about it. `attention` says in
    words why somebody should look, "" when nobody need.
    """

    directory: str
    names: tuple[str, ...]
    state: Health
    issuer: str
    in_use: bool
    not_after: float | None = None
    renew_at: float | None = None
    renew_reason: str = ""
    last_error: str = ""
    failures: int = 0
    next_attempt: float | None = None
    not_before: float | None = None
    serial: str = ""
    last_hint: str = ""
    failing_since: float | None = None
    attention: str = ""
    budgets: tuple[Budget, ...] = ()
    """What the CA still allows; empty where its limits are not known."""
    history: tuple[Entry, ...] = ()
    """The latest events, oldest first."""

    @property
    def lifetime(self) -> float:
        """Seconds from the first to the last; 0.0 without a certificate."""
        return (self.not_after or 0.0) - (self.not_before or 0.0)


def read_certificates(storage: Storage, now: float, entries: Iterable[Entry] = ()) -> list[CertificateStatus]:
    """All certificates on storage, in the order of their directories, with what the ledger's `entries` say of each.

    Raises: StorageError."""
    found = [_read(storage, directory, now) for directory in storage.list("certs")]
    entries = list(entries)
    return with_budgets(found, entries, now) if entries else found


def with_budgets(found: Iterable[CertificateStatus], entries: list[Entry], now: float) -> list[CertificateStatus]:
    """The same with budgets and history."""
    tally = tally_of(entries)
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        for name in entry.names:
            by_name.setdefault(name, []).append(entry)
    return [
        msgspec.structs.replace(
            each,
            budgets=tuple(tally.budgets(each.issuer, each.names, now)) if each.names else (),
            history=tuple(
                dict.fromkeys(
                    sorted(
                        (entry for name in each.names for entry in by_name.get(name, ())), key=lambda entry: entry.at
                    )
                )
            )[-MOST_HISTORY:],
        )
        for each in found
    ]


def status_of_record(record: CertificateRecord) -> CertificateStatus:
    """The status of a certificate that is in service, without asking the disk."""
    live, now = record.live, record.now()
    found = _OnDisk(live.issuer, live.leaf) if live else _OnDisk()
    return _status(record.spec.directory, record.state, found, now)


def own_status(path: str, leaf: Leaf, now: float) -> CertificateStatus:
    """The status of a pair that the operator brings and renews."""
    return _status(path, CertificateState(names=leaf.names), _OnDisk("own", leaf), now)


class _OnDisk(Struct, frozen=True):
    """What the generations of one certificate amount to."""

    issuer: str = ""
    leaf: Leaf | None = None
    is_damaged: bool = False

    def state(self, now: float) -> Health:
        if self.leaf is not None:
            return "valid" if self.leaf.not_after > now else "expired"
        return "damaged" if self.is_damaged else "missing"


def _read(storage: Storage, directory: str, now: float) -> CertificateStatus:
    return _status(directory, _memory(storage, directory), _generations(storage, directory), now)


def _status(directory: str, memory: CertificateState, found: _OnDisk, now: float) -> CertificateStatus:
    leaf = found.leaf
    is_planned = leaf is not None and memory.renew_at > 0 and memory.serial == leaf.serial
    error = memory.last_error if memory.failures else None
    return CertificateStatus(
        directory=directory,
        names=memory.names or (leaf.names if leaf else ()),
        state=found.state(now),
        issuer=found.issuer if leaf else memory.ca,
        in_use=memory.in_use,
        not_after=leaf.not_after if leaf else None,
        renew_at=memory.renew_at if is_planned else None,
        renew_reason=memory.renew_reason if is_planned else "",
        last_error=_in_words(error),
        failures=memory.failures,
        next_attempt=max(believable(memory.next_attempt, now), now) if memory.failures else None,
        not_before=leaf.not_before if leaf else None,
        serial=leaf.serial if leaf else "",
        last_hint=error.hint if error else "",
        failing_since=memory.failing_since if memory.failures else None,
        attention=_attention(memory, found, now),
    )


def _attention(memory: CertificateState, found: _OnDisk, now: float) -> str:
    leaf, error = found.leaf, memory.last_error if memory.failures else None
    if not memory.in_use:
        return ""
    if leaf is None:
        return "the files are damaged" if found.is_damaged else "there is no certificate yet"
    if leaf.not_after <= now:
        return "the certificate has expired"
    if leaf.not_after - now < ALARM_SHARE * leaf.lifetime:
        return "less than a quarter of its lifetime is left"
    if error and error.error_class in (ErrorClass.POLICY, ErrorClass.ACCOUNT):
        return "renewal fails until somebody changes something"
    return ""


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
