"""One attempt at one certificate, from the lock to the saved generation.

    lock → look again → journal (key and request on disk) → the issuer runs the order → the chain is judged → saved

Whatever stops it, nothing is lost: the journal lets the next attempt, or the next process, go on where this one ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from enum import Enum

from msgspec import Struct

from edge.certs.acceptance import accept_chain
from edge.certs.identifiers import CertificateSpec
from edge.certs.issuer import ErrorClass, IssueFailed, Issuer, Progress
from edge.certs.journal import PendingJournal, discard_journal, open_journal
from edge.certs.publisher import Publisher
from edge.certs.store import CertificateStore, Stored
from edge.errors import CertificateError, LeaseLost, StorageError

DEADLINE = 600.0
"""Seconds for one attempt. What takes longer is resumed in the next."""


class How(Enum):
    """How an attempt ended well."""

    ISSUED = "issued"
    UNSAVED = "issued, but the disk did not take it"
    FOUND = "another process had done it"
    BUSY = "another process is doing it"
    TAKEN = "another node has taken over while this one was away"


class Outcome(Struct, frozen=True):
    """`stored` is the certificate to serve; None only when BUSY or TAKEN."""

    how: How
    stored: Stored | None


class Attempt:
    """Everything that one attempt needs; `live` is the certificate in service, if any; `cas` names the
    CAs whose certificates are welcome when another process has got one. `has_ordered` tells afterwards whether production was
    asked at all: a rehearsal that fails ends the attempt before."""

    def __init__(
        self,
        spec: CertificateSpec,
        store: CertificateStore,
        issuer: Issuer,
        publisher: Publisher,
        *,
        live: Stored | None,
        cas: Collection[str] = (),
        wall_clock: Callable[[], float],
        progress: Progress,
        is_rehearsed: bool = False,
        on_order: Callable[[], None] = lambda: None,
    ) -> None:
        self._spec = spec
        self._store = store
        self._issuer = issuer
        self._publisher = publisher
        self._live = live
        self.has_ordered = False
        self._cas = {issuer.name, *cas}
        self._wall_clock = wall_clock
        self._progress = progress
        self._is_rehearsed = is_rehearsed
        self._on_order = on_order

    async def run(self) -> Outcome:
        """Raises: IssueFailed. Trouble with the disk is one too, of class LOCAL."""
        try:
            with self._store.exclusive() as got:
                if not got:
                    return Outcome(How.BUSY, None)
                return self._look_again() or await self._order()
        except LeaseLost:
            return Outcome(How.TAKEN, None)
        except StorageError as exc:
            raise IssueFailed(ErrorClass.LOCAL, "save", str(exc)) from exc

    def _look_again(self) -> Outcome | None:
        """Another process may have renewed it while we waited for the lock."""
        stored = self._store.load()
        if stored is None or stored.issuer not in self._cas:
            return None
        if self._live is not None and stored.leaf.not_before <= self._live.leaf.not_before:
            return None
        if stored.leaf.not_after <= self._wall_clock():
            return None
        return Outcome(How.FOUND, stored)

    async def _order(self) -> Outcome:
        if self._is_rehearsed:
            self._progress("dry run")
            await self._issuer.rehearse(self._spec.names, self._publisher, options=self._spec.options)
        self.has_ordered = True
        finished = self._live.leaf.public_key if self._live else None
        journal = open_journal(
            self._store.writer,
            self._spec.directory,
            self._spec.names,
            self._issuer.name,
            finished_key=finished,
            key_type=self._spec.options.key_type,
        )
        journal.on_order = self._on_order
        try:
            chain = await self._issue(journal)
            chain, leaf = accept_chain(chain, journal.key, self._spec.names, self._wall_clock())
        except IssueFailed as exc:
            if exc.order_is_dead and journal.order_url:
                journal.order_dropped()
            raise
        return self._save(journal, Stored(journal.key, chain, leaf, self._issuer.name))

    async def _issue(self, journal: PendingJournal) -> bytes:
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._issuer.issue(
                    self._spec.names,
                    journal,
                    self._publisher,
                    replaces=self._predecessor(),
                    progress=self._progress,
                    options=self._spec.options,
                )
        except TimeoutError as exc:
            detail = f"no result within {DEADLINE:.0f} s; the order is kept and resumed"
            raise IssueFailed(ErrorClass.TRANSPORT, "order", detail) from exc
        except (IssueFailed, StorageError):
            raise
        except CertificateError as exc:
            raise IssueFailed(ErrorClass.LOCAL, "challenge", str(exc)) from exc

    def _predecessor(self) -> bytes | None:
        live = self._live
        return live.chain if live and live.issuer == self._issuer.name else None

    def _save(self, journal: PendingJournal, stored: Stored) -> Outcome:
        with contextlib.suppress(StorageError):  # what counts is whether the certificate can be saved
            journal.release_reserve()
        try:
            self._store.save(stored)
        except LeaseLost:
            raise
        except StorageError:
            return Outcome(How.UNSAVED, stored)  # the journal stays: after a crash the CA gives the chain again
        discard_journal(self._store.writer, self._spec.directory)
        return Outcome(How.ISSUED, stored)
