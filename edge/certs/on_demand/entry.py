"""One name that is served on demand: its certificate's task, who waits for it, and whether it may be renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edge.certs.certificate_task import CertificateTask
from edge.certs.issuer import ErrorClass
from edge.certs.on_demand.ask import AskFailed
from edge.certs.record import CertificateRecord
from edge.certs.state import CertificateState
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer, Reply

if TYPE_CHECKING:
    from edge.certs.on_demand.pool import NamePool

UNSURE_PAUSE: Final = 300.0
"""Seconds until a renewal is tried again when nobody said whether the name is still welcome."""

PENDING_SECONDS: Final = 5.0
"""When a visitor who waits for a first certificate should look again: most orders take that long."""

LONGEST_WAIT: Final = 600.0
"""What a visitor is told at most: the operator may have helped in the meantime."""

BUDGET_WORDS: Final = "Too many new domains are being set up at the moment. This one waits for its turn."

GENERAL_WORDS: Final = (
    "The certificate authority does not issue a certificate at the moment. This server will try again."
)

log = get_logger("certs")


class DemandedName:
    """Implements `Permission` for the task of its certificate, and `Shelf` for its record."""

    def __init__(self, name: str, domain: str, pool: NamePool, offer: Callable[[CertifiedKey], None]) -> None:
        self.name = name
        self.idle_since = pool.clock()
        self._domain = domain
        self._pool = pool
        self._offer = offer
        self._replies: dict[int, Reply] = {}
        self._certified: CertifiedKey | None = None
        self._is_denied = False
        self._problem = ""
        self._record: CertificateRecord
        self._task: CertificateTask
        self._running: asyncio.Task[None] | None = None
        self._is_loaded = False
        self._has_told = False

    def __repr__(self) -> str:
        return f"<DemandedName {self.name} {'served' if self._certified else 'without a certificate'}>"

    def attach(self, record: CertificateRecord, task: CertificateTask) -> None:
        """To be called once, before anything else: they and this object know each other."""
        self._record = record
        self._task = task
        self.area = f"certs/{record.spec.directory}"

    def look(self) -> None:
        """Somebody has changed what is stored about this name."""
        self._task.look()

    @property
    def has_certificate(self) -> bool:
        """Whether there is one that has not expired."""
        return self._certified is not None and self._certified.not_after > self._pool.now()

    @property
    def is_over(self) -> bool:
        """Whether it is no longer welcome and nothing is left to serve."""
        return self._is_denied and not self.has_certificate

    def load(self) -> bool:
        """Take what is on disk; whether that can be served. Then the certificate is kept alive from now on.

        A name that has never had one leaves no trace on disk: nobody has said that it is welcome."""
        if not self._record.is_on_disk():
            return False
        self._load()
        if self.has_certificate:
            self._run()
        return self.has_certificate

    def _load(self) -> None:
        if not self._is_loaded:
            self._is_loaded = True
            self._task.load()

    def begin(self) -> None:
        """The name is welcome: order, unless an earlier failure says not yet."""
        self._load()
        self._run()
        wait = self._record.state.next_attempt - self._pool.now()
        if self._record.state.failures and wait > 0.0:
            self.failed(self._record.state)

    def _run(self) -> None:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._task.run(), name=f"certificate {self.name}")

    def end(self) -> asyncio.Task[None] | None:
        """Forget everything that is not on disk; the task that ends."""
        self._answer(NameAnswer(self.name, "failed", PENDING_SECONDS))
        if self._running is not None:
            self._running.cancel()
        return self._running

    # -- visitors -----------------------------------------------------------------------------------------------------

    def want(self, caller: int, reply: Reply) -> None:
        """Answer now, or as soon as there is an answer."""
        self.idle_since = self._pool.clock()
        if self._is_denied:
            self._look_again()
        if self._certified is not None and self.has_certificate:
            reply(self._certified)
        elif self._problem and self._wait() > 0.0:
            reply(self._failure())
        else:
            self._replies[caller] = reply
            reply(NameAnswer(self.name, "pending", PENDING_SECONDS, self._problem))

    def _look_again(self) -> None:
        """The answer was no when the certificate was to be renewed; `pause` asks once more when that no longer holds."""
        self._is_denied = False
        self._run()

    def _wait(self) -> float:
        """Seconds until the next attempt."""
        situation = self._record.situation
        return max(situation.state.next_attempt, situation.held_until) - self._pool.now()

    def _failure(self) -> NameAnswer:
        seconds = min(max(self._wait(), PENDING_SECONDS), LONGEST_WAIT)
        return NameAnswer(self.name, "failed", seconds, self._problem)

    def _answer(self, answer: CertifiedKey | NameAnswer) -> None:
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply(answer)

    # -- as the shelf of the record -----------------------------------------------------------------------------------

    def replace(self, certified_key: CertifiedKey) -> None:
        """Serve this from now on: in workers that wait for it, and in those that have its predecessor."""
        is_renewal = self._certified is not None
        self._certified = certified_key
        self._problem = ""
        if is_renewal:
            self._offer(certified_key)
        self._answer(certified_key)

    def stand_in(self, names: tuple[str, ...], now: float) -> None:
        """There is no placeholder for a stranger's name: the handshake ends with an alert."""

    # -- as the permission of the task --------------------------------------------------------------------------------

    async def pause(self) -> float:
        """See `Permission`."""
        try:
            is_welcome = await self._pool.is_welcome(self.name)
        except AskFailed as failure:
            log.warning("nobody says whether a name is still welcome", name=self.name, cause=str(failure))
            return UNSURE_PAUSE
        if not is_welcome:
            return self._deny()
        self._has_told = False
        wait = self._pool.orders.take(self._domain, self._pool.now())
        if wait > 0.0:
            log.warning("too many certificates on demand", name=self.name, domain=self._domain, seconds=round(wait))
            self._problem = BUDGET_WORDS
            self._answer(NameAnswer(self.name, "failed", min(wait, LONGEST_WAIT), self._problem))
        return wait

    def _deny(self) -> float:
        """No longer welcome: what is there is served until its end, and nothing is ordered."""
        self._is_denied = True
        if not self._has_told:
            self._has_told = True
            log.warning(
                "certificate not renewed: the name is no longer welcome",
                name=self.name,
                check="nothing to do if the customer has left; else see who answers [on_demand] ask",
            )
        self._answer(NameAnswer(self.name, "refused", UNSURE_PAUSE))
        running = self._running
        if running is not None:
            asyncio.get_running_loop().call_soon(running.cancel)
        return UNSURE_PAUSE

    def failed(self, state: CertificateState) -> None:
        """See `Permission`."""
        error = state.last_error
        self._problem = words_for_visitors(error.error_class, error.detail) if error else GENERAL_WORDS
        self._answer(self._failure())


def words_for_visitors(error_class: ErrorClass, detail: str) -> str:
    """What the owner of the domain can do something about, in the CA's words; anything else is not for visitors."""
    if error_class is ErrorClass.VALIDATION:
        return f"The certificate authority could not reach this server under the domain: {detail}"
    return GENERAL_WORDS
