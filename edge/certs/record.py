"""What is known about one certificate: served first, remembered in memory, and written as soon as the disk agrees.

A full or broken disk never keeps a certificate from being served, and never raises from here. Where the storage is on a server,
what is served is copied to this machine, so that a restart without the server still has something to serve.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from edge.certs import polling
from edge.certs.chain import Leaf
from edge.certs.identifiers import CertificateSpec
from edge.certs.journal import discard_journal
from edge.certs.placeholder import REFRESHED_AFTER
from edge.certs.renewal import HOUR, MINUTE
from edge.certs.schedule import Situation, renewal_of
from edge.certs.served import Shelf
from edge.certs.state import CertificateState, for_ca, for_certificate, moved, succeeded
from edge.certs.store import CertificateStore, Stored
from edge.errors import StorageError
from edge.telemetry.logs import get_logger

SAVE_PAUSE = MINUTE
"""Until a full disk is tried again."""

SKEW_WARNING, SKEW_ERROR = 5 * MINUTE, HOUR
"""A stored certificate that starts this far in the future means that this machine's clock is behind."""

log = get_logger("certs")


class CertificateRecord:
    """Memory, disk and service of one certificate; `ca` names the issuer that is to provide it, `others` those that may."""

    def __init__(
        self,
        spec: CertificateSpec,
        store: CertificateStore,
        served: Shelf,
        ca: str,
        wall_clock: Callable[[], float],
        others: tuple[str, ...] = (),
        copy: CertificateStore | None = None,
    ) -> None:
        self.spec = spec
        self.store = store
        self._copy = copy
        self._known: CertificateState | None = None
        """What this process has last read from the storage or written there: anything else is somebody else's."""
        self.now = wall_clock
        self._served = served
        self.situation = Situation(live=None, state=CertificateState(ca=ca), ca=ca, others=others)

    @property
    def state(self) -> CertificateState:
        """What is remembered."""
        return self.situation.state

    @property
    def live(self) -> Stored | None:
        """The real certificate in service."""
        return self.situation.live

    @property
    def leaf(self) -> Leaf | None:
        """Its facts."""
        return self.live.leaf if self.live else None

    def is_on_disk(self) -> bool:
        """Whether a certificate for these names is stored, or kept as a copy while the storage is away."""
        for store in (self.store, self._copy):
            with suppress(StorageError):
                if store is not None and store.generations():
                    return True
        return False

    def load(self, chance: float) -> None:
        """Take what is on disk and serve it, or a placeholder. `chance` in [0, 1) spreads the first polls."""
        live, state = self._read()
        if live is None:
            self.remember(state)
            self.stand_in()
            return
        self._warn_of_skew(live)
        next_poll = polling.at_start(state.next_poll, live.leaf.lifetime, self.now(), chance)
        self.update(state=msgspec.structs.replace(state, next_poll=next_poll))
        self.serve(live)
        self._plan()

    def _read(self) -> tuple[Stored | None, CertificateState]:
        ca = self.situation.ca
        try:
            live, self._known = self.store.load(), self.store.load_state()
            state = for_ca(self._known, ca)
        except StorageError as exc:
            log.error("storage unreadable", name=self.spec.name, cause=str(exc))
            live, state = self._read_copy(), CertificateState(ca=ca)
        return live, for_certificate(state, live.leaf, self.now()) if live else state

    def _read_copy(self) -> Stored | None:
        try:
            return self._copy.load() if self._copy else None
        except StorageError as exc:
            log.warning("copy unreadable", name=self.spec.name, cause=str(exc))
            return None

    def adopt(self, stored: Stored) -> None:
        """Another process has renewed the certificate and written its state."""
        _, state = self._read()
        self.update(state=state, save_at=None)
        self.serve(stored)
        self._plan()

    def adopt_newer(self) -> bool:
        """Adopt what is on disk when it is better than what is served; whether it was."""
        stored, _ = self._read()
        live = self.leaf
        if stored is None or stored.leaf.not_after <= self.now():
            return False
        if live is not None and stored.leaf.not_before <= live.not_before and live.not_after > self.now():
            return False
        self.adopt(stored)
        return True

    def refresh(self) -> bool:
        """Take what another process has written meanwhile; whether there was anything. Trouble with the storage changes
        nothing."""
        try:
            stored, state = self._newer(), self.store.load_state()
        except StorageError:
            return False
        is_known, self._known = state == self._known, state
        if stored is not None:
            self.adopt(stored)
            log.info("certificate taken over from another process", name=self.spec.name, serial=stored.leaf.serial)
            return True
        if is_known or state.ca != self.situation.ca:
            return False
        state = msgspec.structs.replace(state, in_use=True)
        self.update(state=for_certificate(state, self.leaf, self.now()) if self.leaf else state)
        self._plan()
        return True

    def _newer(self) -> Stored | None:
        """What is in service elsewhere, if it is to be served here as well."""
        live, current = self.live, self.store.current()
        if not current or (live is not None and live.generation == current):
            self.store.seen = current
            return None
        stored = self.store.load()
        if stored is None or live is None or stored == live:
            return None if stored == live else stored
        is_saved = self.situation.save_at is None
        is_welcome = stored.issuer in (self.situation.ca, *self.situation.others)
        return stored if is_welcome and (is_saved or stored.leaf.not_before > live.leaf.not_before) else None

    def issued(self, stored: Stored, *, saved: bool) -> None:
        """An attempt succeeded: serve the result, saved or not."""
        now = self.now()
        self.update(save_at=None if saved else now + SAVE_PAUSE, reminded_at=0.0)
        self.serve(stored)
        self.remember(succeeded(self.state, stored.leaf.serial, now))

    def serve(self, stored: Stored) -> None:
        """Publish a real certificate."""
        kind = "local" if self.spec.authority == "local" else "acme"
        self._served.replace(stored.certified_key(self.spec.names, kind))
        self.update(live=stored, stand_in_at=None)
        self._keep_copy(stored)

    def _keep_copy(self, stored: Stored) -> None:
        try:
            if self._copy and self._copy.current() != stored.generation:
                self._copy.save(stored)
        except StorageError as exc:
            log.warning("no copy on this machine", name=self.spec.name, cause=str(exc))

    def stand_in(self) -> None:
        """Publish a fresh placeholder where there is nothing better."""
        now = self.now()
        self._served.stand_in(self.spec.names, now)
        self.update(stand_in_at=now + REFRESHED_AFTER)

    def remember(self, state: CertificateState) -> None:
        """`state` from now on, with the renewal time that it implies, written if the disk takes it."""
        self.update(state=msgspec.structs.replace(state, names=self.spec.names))
        self._plan()
        try:
            if self.store.store_state(self.state):
                self._known = self.state
        except StorageError as exc:
            log.warning("certificate state not saved", name=self.spec.name, cause=str(exc))

    def _plan(self) -> None:
        planned = renewal_of(self.situation, self.now())
        if planned:
            reason = planned.reason.value
            self.update(state=msgspec.structs.replace(self.state, renew_at=planned.at, renew_reason=reason))

    def save_again(self) -> None:
        """The certificate has been served from memory since the disk refused it; try the disk once more."""
        self.update(save_at=self.now() + SAVE_PAUSE)
        with suppress(StorageError), self.store.exclusive() as got:
            if got and not self._is_superseded():
                self._save_live()

    def _is_superseded(self) -> bool:
        """Whether a newer certificate has come from elsewhere, which is served instead."""
        return self.refresh() and self.situation.save_at is None

    def _save_live(self) -> None:
        if self.live is None:
            return
        self.store.save(self.live)
        self.update(save_at=None)
        discard_journal(self.store.writer, self.spec.directory)
        self.remember(self.state)
        log.info("certificate saved at last", name=self.spec.name)

    def move(self, seconds: float) -> None:
        """The wall clock has been set by `seconds`: every delay goes on as if nothing had happened."""
        situation = self.situation
        self.update(
            state=moved(situation.state, seconds),
            save_at=None if situation.save_at is None else situation.save_at + seconds,
            stand_in_at=None if situation.stand_in_at is None else situation.stand_in_at + seconds,
            reminded_at=max(situation.reminded_at + seconds, 0.0),
        )

    def update(self, **changes: object) -> None:
        """Replace fields of the situation."""
        self.situation = msgspec.structs.replace(self.situation, **changes)

    def _warn_of_skew(self, live: Stored) -> None:
        ahead = live.leaf.not_before - self.now()
        if ahead > SKEW_WARNING:
            tell = log.error if ahead > SKEW_ERROR else log.warning
            tell(
                "clock is behind", name=self.spec.name, seconds=int(ahead), check="set the clock of this machine (NTP)"
            )
