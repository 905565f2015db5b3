"""One certificate's life: asks `schedule` what is next, waits for it, does it, for ever.

Nothing here gives up or ends by itself: a failure becomes a remembered pause, a defect in our own code a logged one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import msgspec

from edge.certs.advice import take_advice
from edge.certs.askers import Askers
from edge.certs.attempt import Attempt, How
from edge.certs.authority import Authority
from edge.certs.backoff import RATE_SPREAD, Circumstances, believable, next_attempt
from edge.certs.book import Book
from edge.certs.budget import in_words as budget_in_words
from edge.certs.failover import choose_ca, with_waits
from edge.certs.issuer import ErrorClass, IssueFailed, Issuer
from edge.certs.ledger import Ledger
from edge.certs.messages import failure_fields, is_for_a_human, serving, utc
from edge.certs.publisher import Publisher
from edge.certs.record import CertificateRecord
from edge.certs.rehearsal import wants_rehearsal
from edge.certs.renewal import MINUTE, Urgency, urgency
from edge.certs.schedule import Action, Due, next_due, sleep_before
from edge.certs.state import CertificateState, failed, forgiven
from edge.certs.store import Stored
from edge.errors import StorageError
from edge.telemetry.logs import get_logger

BUSY_PAUSE = 3.0
"""Seconds until a lock that another process holds is tried again: it frees it when it is done, or soon after it has died."""

CLOCK_STEP = 2.0
"""Seconds. Less is the wall clock being slewed, not set."""

DEFECT_PAUSE = MINUTE

HANDOVER = 5.0
"""Seconds until the next CA is asked after one has been left."""

log = get_logger("certs")


class Permission(Protocol):
    """Who has a say in every order of a certificate that the configuration does not list."""

    async def pause(self) -> float:
        """Asked right before an order: seconds to wait before asking again; 0.0 lets it go."""

    def failed(self, state: CertificateState) -> None:
        """An attempt has failed; `state` is the memory after it."""


class CertificateTask:
    """Keeps one certificate alive. Call `load` once, then `run` as a task until it is cancelled.

    `permission` is None for names of the configuration, which need none. Delays use the event loop's clock, which is
    monotonic; decisions use the record's wall clock.
    """

    def __init__(
        self,
        record: CertificateRecord,
        authorities: Sequence[Authority],
        publisher: Publisher,
        rng: random.Random,
        ledger: Ledger,
        permission: Permission | None = None,
    ) -> None:
        self.spec = record.spec
        self._record = record
        self._authorities = {authority.name: authority for authority in authorities}
        self._publisher = publisher
        self._rng = rng
        self._permission = permission
        self._book = Book(ledger, record)
        self._askers = Askers()
        self._wake = asyncio.Event()
        self._clock_offset: float | None = None
        self._is_waiting = False

    def __repr__(self) -> str:
        return f"<CertificateTask {self.spec.name} {next_due(self._record.situation, self._record.now())}>"

    def load(self) -> None:
        """Publish what is on disk, or a placeholder. Never raises for a bad disk, never asks a CA."""
        self._record.load(self._rng.random())

    def look(self) -> None:
        """Somebody has changed what is stored about this certificate: take it and plan anew."""
        self._record.refresh()
        self._wake.set()

    @property
    def renewal(self) -> float | None:
        """When the certificate in service is to be renewed, in POSIX seconds; None when there is none."""
        return self._record.state.renew_at if self._record.live else None

    def forgive(self) -> None:
        """The operator changed something about this site: forget the backoff and look again now."""
        if self._record.state.failures:
            self._record.remember(forgiven(self._record.state))
            self._wake.set()

    @property
    def record(self) -> CertificateRecord:
        """What is known about the certificate."""
        return self._record

    async def renew_now(self) -> Stored:
        """The certificate that one attempt, made as soon as the CA allows one, brings; backoff and due date do not count.

        Raises: IssueFailed, also of class RATE when an attempt would be in vain now."""
        self._record.remember(forgiven(self._record.state))
        self._record.update(is_forced=True, held_until=0.0)
        self._wake.set()
        return await self._askers.wait()

    def distrust(self, serial: str) -> None:
        """The certificate with this serial has been revoked: replace it as soon as that is possible, also after a restart."""
        self._record.remember(msgspec.structs.replace(forgiven(self._record.state), revoked=serial))
        self._wake.set()

    def look_again(self) -> None:
        """Somebody has put a certificate on disk: serve it when it is better than what is served."""
        if self._record.adopt_newer():
            self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._run()
        finally:
            self._askers.settle(IssueFailed(ErrorClass.LOCAL, "order", "edge stops, or no longer serves this name"))

    async def _run(self) -> None:
        while True:
            try:
                await self._step()
            except Exception:
                log.exception("certificate task failed; it goes on", name=self.spec.name)
                await asyncio.sleep(DEFECT_PAUSE)

    async def _step(self) -> None:
        self._watch_clock()
        now = self._record.now()
        due = next_due(self._record.situation, now)
        if due.at > now:
            await self._sleep(sleep_before(due, now, self._rng.random()))
        else:
            await self._perform(due.action)

    def _watch_clock(self) -> None:
        """A clock that was set back must not stretch a pause of minutes to hours.

        One that jumps forward is left alone: the machine may have slept, and then the time has really passed.
        """
        offset = self._record.now() - asyncio.get_running_loop().time()
        jump = offset - self._clock_offset if self._clock_offset is not None else 0.0
        self._clock_offset = offset
        if jump < -CLOCK_STEP:
            log.info("clock was set back", name=self.spec.name, seconds=round(-jump))
            self._record.move(jump)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _perform(self, action: Action) -> None:
        match action:
            case Action.ISSUE:
                await self._issue()
            case Action.POLL:
                await self._take_advice()
            case Action.SAVE:
                self._record.save_again()
            case Action.STAND_IN:
                self._record.stand_in()
            case Action.REMIND:
                self._remind()

    async def _take_advice(self) -> None:
        live = self._record.live
        authority = self._authorities.get(live.issuer) if live else None
        if authority is not None:
            await take_advice(self._record, authority.issuer, self._rng.random())

    def _choose(self) -> Authority:
        """Whom to ask now: the CA whose turn it is after the failures so far."""
        now, state = self._record.now(), self._record.state
        waits = {name: self._held_until(authority, now) for name, authority in self._authorities.items()}
        level = urgency(self._record.leaf, now)
        return self._authorities[choose_ca(list(waits), with_waits(state.streaks, waits, now), level, now)]

    def _held_until(self, authority: Authority, now: float) -> float:
        """POSIX time before which an order is forbidden or certain to be refused."""
        spent = self._book.exhausted(authority.name, now)
        return max(authority.throttle.until(now), spent.frees_at if spent else 0.0)

    async def _issue(self) -> None:
        authority = self._choose()
        how: How | None = None
        async with authority.gate.slot():
            try:
                with self._record.store.exclusive() as got:
                    if got:
                        self._record.refresh()  # another process may have done it, or failed and said when to try again
                    how = await self._issue_now(authority) if got else How.BUSY
            except StorageError as exc:
                self._note_failure(IssueFailed(ErrorClass.LOCAL, "save", str(exc)), authority)
        is_others = how in (How.BUSY, How.TAKEN)
        if is_others and not self._is_waiting and how is not None:
            log.info("another process works on this certificate", name=self.spec.name, cause=how.value)
        self._is_waiting = is_others
        if is_others:
            await self._sleep(BUSY_PAUSE)

    async def _issue_now(self, authority: Authority) -> How | None:
        """One attempt, its outcome noted; None when there is none to make, or it failed."""
        now = self._record.now()
        if next_due(self._record.situation, now) != Due(Action.ISSUE, now):
            return None  # the wait for a slot and the lock was long enough for things to change
        held_until = self._held_until(authority, now)
        if held_until > now:
            self._wait(authority, held_until, now)
            return None
        pause = await self._permission.pause() if self._permission else 0.0
        if pause > 0.0:
            self._record.update(held_until=self._record.now() + pause)
            return None
        await authority.gate.pace()
        try:
            return await self._attempt(authority.issuer)
        except IssueFailed as exc:
            self._note_failure(exc, authority)
            return None

    def _wait(self, authority: Authority, held_until: float, now: float) -> None:
        """Spend no attempt that cannot succeed; say so, once for each wait."""
        again = held_until + RATE_SPREAD * self._rng.random()
        spent = self._book.exhausted(authority.name, now)
        cause = budget_in_words(spent, authority.name) if spent else authority.throttle.cause
        self._record.update(held_until=again, is_forced=False)
        fields = {"name": self.spec.name, "ca": authority.name, "cause": cause, "next_try": utc(again)}
        log.warning("order postponed", **fields, serving=serving(self._record.leaf, now))
        self._askers.settle(IssueFailed(ErrorClass.RATE, "order", cause, retry_after=again))

    async def _attempt(self, issuer: Issuer) -> How:
        state, is_exempt = self._record.state, self._book.is_exempt(issuer.name, self._record.now())
        attempt = Attempt(
            self.spec,
            self._record.store,
            issuer,
            self._publisher,
            live=self._record.live,
            cas=tuple(self._authorities),
            is_rehearsed=wants_rehearsal(state.streaks, issuer.name, state.ordered_at, self._record.now()),
            wall_clock=self._record.now,
            progress=partial(self._note_progress, issuer.name),
            on_order=lambda: self._book.ordered(issuer.name, exempt=is_exempt),
        )
        try:
            outcome = await attempt.run()
        except IssueFailed as exc:
            self._book.failed(issuer.name, exc, rehearsal=not attempt.has_ordered)
            raise
        finally:
            if attempt.has_ordered:
                ordered_at = self._record.now()
                self._record.update(state=msgspec.structs.replace(self._record.state, ordered_at=ordered_at))
        if outcome.how is How.FOUND and outcome.stored:
            self._record.adopt(outcome.stored)
        elif outcome.stored:
            self._book.issued(issuer.name, outcome.stored.leaf.serial, exempt=is_exempt)
            self._note_success(outcome.stored, saved=outcome.how is How.ISSUED)
        if outcome.stored:
            self._record.update(is_forced=False)
            self._askers.settle(outcome.stored)
        return outcome.how

    def _note_progress(self, ca: str, phase: str) -> None:
        log.info("certificate progress", name=self.spec.name, phase=phase, ca=ca)

    def _note_success(self, stored: Stored, *, saved: bool) -> None:
        self._record.issued(stored, saved=saved)
        state = self._record.state
        log.info(
            "certificate issued",
            name=self.spec.name,
            ca=stored.issuer,
            serial=stored.leaf.serial,
            not_after=utc(stored.leaf.not_after),
            renewal=f"{utc(state.renew_at)} ({state.renew_reason})",
        )
        if not saved:
            check = "free space on the storage directory's disk; edge tries again every minute"
            log.error("certificate not saved", name=self.spec.name, serving="it, from memory", check=check)

    def _note_failure(self, failure: IssueFailed, authority: Authority) -> None:
        now, leaf, before = self._record.now(), self._record.leaf, self._record.state
        level = urgency(leaf, now)
        circumstances = Circumstances(level, self._nothing_valid_for(now), leaf.lifetime if leaf else None)
        again = next_attempt(
            before.failures + 1,
            failure.error_class,
            failure.retry_after,
            circumstances,
            now=now,
            chance=self._rng.random(),
        )
        if failure.is_shared:
            authority.throttle.hold(again, failure.detail)
        state = failed(before, failure, again, now, authority.name)
        self._record.remember(state)
        if self._is_fresh(self._choose()):
            state = msgspec.structs.replace(state, next_attempt=now + HANDOVER)
            self._record.remember(state)
        tell = log.error if is_for_a_human(failure.error_class, level, state.failures) else log.warning
        fields = failure_fields(self.spec.name, failure, state, leaf, now)
        if self._permission is not None:
            self._permission.failed(state)
            if leaf is None:
                fields["serving"] = "nothing; who comes for the name is refused"
        tell("certificate attempt failed", **fields)
        self._record.update(is_forced=False)
        self._askers.settle(failure)

    def _is_fresh(self, authority: Authority) -> bool:
        """Whether a CA has its turn that has not failed yet: there is no reason to let it wait for the other's failures."""
        return all(streak.ca != authority.name for streak in self._record.state.streaks)

    def _nothing_valid_for(self, now: float) -> float:
        leaf, since = self._record.leaf, self._record.state.failing_since
        since = min(since, now) if self._record.state.failures else now
        return now - max(since, leaf.not_after if leaf else 0.0)

    def _remind(self) -> None:
        now, leaf, state = self._record.now(), self._record.leaf, self._record.state
        self._record.update(reminded_at=now)
        if leaf is None:
            return
        tell = log.warning if urgency(leaf, now) is Urgency.SOON else log.error
        event = "certificate runs out" if leaf.not_after > now else "certificate expired"
        error = state.last_error if state.failures else None
        cause = error.detail if error else "it should have been renewed by now"
        next_try = utc(max(believable(state.next_attempt, now), now))
        tell(
            event,
            name=self.spec.name,
            ca=state.ca,
            attempts=state.failures,
            cause=cause,
            next_try=next_try,
            serving=serving(leaf, now),
        )
