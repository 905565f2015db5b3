"""How the keeper's certificates and challenge answers reach every worker: `edge.certs.publisher.Publisher` over channels.

A worker that joins gets a snapshot: all that is served and all that is being answered now, then `SnapshotComplete`; after that
each change as it happens, in order. So "every worker answers" needs no census: whoever is linked has been told, and
a presentation is complete when all that are linked have acknowledged it.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Literal, TypeAlias

import msgspec

from edge.certs.publisher import ChallengeAnswer
from edge.config.maintenance import MaintenanceNotice
from edge.config.purge import Purge
from edge.config.schema import Config
from edge.errors import CertificateError
from edge.process.channel import MAX_PACKET, Channel, MessageTooLarge
from edge.process.channel_on_loop import ChannelOnLoop
from edge.process.messages import (
    Acknowledged,
    AnswerName,
    CleanUpChallenge,
    DropCertificate,
    KeeperToWorker,
    Maintain,
    OfferCertificate,
    PresentChallenge,
    PurgeCache,
    ServeCertificate,
    Served,
    SnapshotComplete,
    WantName,
    WorkerToKeeper,
)
from edge.telemetry.logs import get_logger
from edge.telemetry.traffic import Traffic, total
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer, Reply, refuse

ACKNOWLEDGE_TIMEOUT: Final = 5.0
"""A worker puts an answer in place within a millisecond; one that takes longer is dead or stuck."""

ChallengeKinds: TypeAlias = frozenset[Literal["http-01", "tls-alpn-01"]]

log = get_logger("process")


class Presentation:
    """One challenge answer and who has said that it is given."""

    def __init__(self, number: int, answer: ChallengeAnswer) -> None:
        self.number = number
        self.answer = answer
        self.acknowledged: set[int] = set()
        self.changed = asyncio.Event()


class ChannelPublisher:
    """The publisher of one keeper. `config` decides which challenges can be answered; replace it on reload."""

    def __init__(self, loop: asyncio.AbstractEventLoop, config: Config, timeout: float = ACKNOWLEDGE_TIMEOUT) -> None:
        self.config = config
        self._loop = loop
        self._timeout = timeout
        self._loaded = False
        self.replaced: Callable[[], object] = lambda: None
        """Called after each `replace`."""
        self.wanted: Callable[[str, str, int, Reply], None] = refuse
        """Called with name, client, worker and whom to tell when a worker's visitor wants a name that no site lists."""
        self._notice: MaintenanceNotice | None = None
        self._purges: tuple[Purge, ...] = ()
        self._links: dict[int, ChannelOnLoop[WorkerToKeeper, KeeperToWorker]] = {}
        self._certificates: dict[tuple[str, ...], CertifiedKey] = {}
        """By their names, in the order in which workers must hear of them."""
        self._holders: dict[str, tuple[str, ...]] = {}
        """Name → the names of the certificate that serves it: where that is found in `_certificates`."""
        self._presentations: dict[int, Presentation] = {}
        self._traffic: dict[int, Traffic] = {}
        self._ended = Traffic()
        self._released = asyncio.Event()
        self._released.set()
        # Workers outlive keepers and remember numbers: the clock never gives a later keeper the numbers of an earlier one.
        self._last_number = time.monotonic_ns()

    def __repr__(self) -> str:
        return f"<ChannelPublisher workers={sorted(self._links)} certificates={len(self._certificates)}>"

    @property
    def is_certified(self) -> bool:
        """Whether something better than a placeholder is served for every name of the configuration."""
        return all(self._is_real(name) for name in self.config.names)

    def _is_real(self, name: str) -> bool:
        holder = self._holders.get(name)
        return holder is not None and self._certificates[holder].kind != "placeholder"

    @property
    def traffic(self) -> Traffic:
        """What all workers have reported."""
        return total([self._ended, *self._traffic.values()])

    # -- links to workers ---------------------------------------------------------------------------------------------

    def add_link(self, worker: int, sock: socket.socket) -> None:
        """Tell this worker everything, now and from now on."""
        channel: Channel[WorkerToKeeper, KeeperToWorker] = Channel(sock, WorkerToKeeper, max_message=MAX_PACKET)
        self._links[worker] = ChannelOnLoop(self._loop, channel, self._hearer(worker), lambda: self._link_lost(worker))
        for certified_key in self._certificates.values():
            self._send(worker, ServeCertificate(certified_key))
        for presentation in self._presentations.values():
            self._send(worker, PresentChallenge(presentation.number, presentation.answer))
            presentation.changed.set()
        if self._loaded:
            self._send(worker, Maintain(self._notice))
            if self._purges:
                self._send(worker, PurgeCache(self._purges))
            self._send(worker, SnapshotComplete())

    def loaded(self) -> None:
        """Everything on disk has been published: workers that wait for it may begin to serve."""
        self._loaded = True
        self._broadcast(Maintain(self._notice))  # also when there is none: an earlier keeper may have said otherwise
        if self._purges:
            self._broadcast(PurgeCache(self._purges))
        self._broadcast(SnapshotComplete())

    def purge(self, purges: tuple[Purge, ...]) -> None:
        """What the response cache must not use, all of it."""
        self._purges = purges
        if self._loaded:
            self._broadcast(PurgeCache(purges))

    def maintain(self, notice: MaintenanceNotice | None) -> None:
        """Maintenance begins, changes, or with None ends."""
        self._notice = notice
        if self._loaded:
            self._broadcast(Maintain(notice))

    def hold(self) -> None:
        """Let `present` wait until `release`: workers that are not linked here still let visitors in."""
        self._released.clear()

    def release(self) -> None:
        """Whoever lets visitors in is linked here."""
        self._released.set()

    def close(self) -> None:
        """End all links."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    def _hearer(self, worker: int) -> Callable[[WorkerToKeeper, socket.socket | None], None]:
        def heard(message: WorkerToKeeper, _attachment: socket.socket | None) -> None:
            match message:
                case Acknowledged(number):
                    self._acknowledged(worker, number)
                case Served(traffic):
                    self._traffic[worker] = traffic
                case WantName(name, client):
                    self.wanted(name, client, worker, partial(self._tell, worker))

        return heard

    def _acknowledged(self, worker: int, number: int) -> None:
        presentation = self._presentations.get(number)
        if presentation is not None:
            presentation.acknowledged.add(worker)
            presentation.changed.set()

    def _tell(self, worker: int, answer: CertifiedKey | NameAnswer) -> None:
        """To a worker that may be gone by now."""
        if worker in self._links:
            message = OfferCertificate(answer) if isinstance(answer, CertifiedKey) else AnswerName(answer)
            self._send(worker, message)

    def _link_lost(self, worker: int) -> None:
        del self._links[worker]
        if worker in self._traffic:  # what it has served has been served: counters never go back
            ended = self._traffic.pop(worker)
            self._ended = total([self._ended, msgspec.structs.replace(ended, connections=0)])
        for presentation in self._presentations.values():
            presentation.changed.set()

    def _broadcast(self, message: KeeperToWorker) -> None:
        for worker in self._links:
            self._send(worker, message)

    def _send(self, worker: int, message: KeeperToWorker) -> None:
        try:
            self._links[worker].send(message)
        except MessageTooLarge as problem:
            log.error("not published", worker=worker, problem=str(problem))

    # -- the contract -------------------------------------------------------------------------------------------------

    def replace(self, certified_key: CertifiedKey) -> None:
        """See `Publisher.replace`."""
        names = certified_key.names
        former = self._let_go(names)
        self._certificates.pop(names, None)  # and put at the end, because this one is the latest
        self._certificates[names] = certified_key
        self._holders.update(dict.fromkeys(names, names))
        self._forget_unheld(former)
        self._broadcast(ServeCertificate(certified_key))
        self.replaced()

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        """See `Publisher.withdraw_certificate`."""
        self._forget_unheld(self._let_go(names))
        self._broadcast(DropCertificate(names))

    def _let_go(self, names: tuple[str, ...]) -> set[tuple[str, ...]]:
        """Nothing serves `names` any more; what did."""
        return {holder for name in names if (holder := self._holders.pop(name, None)) is not None}

    def _forget_unheld(self, holders: set[tuple[str, ...]]) -> None:
        """What serves no name of its own any more: a later worker need not hear of it."""
        for holder in holders:
            if all(self._holders.get(name) != holder for name in holder):
                del self._certificates[holder]

    def offer(self, certified_key: CertifiedKey) -> None:
        """See `Publisher.offer`. Workers that start later ask for it when they need it."""
        self._broadcast(OfferCertificate(certified_key))

    async def present(self, answer: ChallengeAnswer) -> None:
        """See `Publisher.present`."""
        await self._released.wait()
        self._last_number += 1
        presentation = Presentation(self._last_number, answer)
        self._presentations[presentation.number] = presentation
        self._broadcast(PresentChallenge(presentation.number, answer))
        try:
            async with asyncio.timeout(self._timeout):
                await self._wait_acknowledged(presentation)
        except TimeoutError:
            missing = sorted(set(self._links) - presentation.acknowledged)
            self.clean_up(answer)
            raise CertificateError(_sentence(missing)) from None
        except asyncio.CancelledError:
            self.clean_up(answer)
            raise

    def clean_up(self, answer: ChallengeAnswer) -> None:
        """See `Publisher.clean_up`."""
        for number in [each.number for each in self._presentations.values() if each.answer == answer]:
            del self._presentations[number]
            self._broadcast(CleanUpChallenge(number))

    def challenge_kinds(self) -> ChallengeKinds:
        """See `Publisher.challenge_kinds`. A CA asks ports 80 and 443 (RFC 8555 §8.3, RFC 8737 §3); that others may be
        forwarded from there is the operator's knowledge, so a configured port counts."""
        if self.config.listen.http_port:
            return frozenset(("http-01", "tls-alpn-01"))
        return frozenset(("tls-alpn-01",))

    async def _wait_acknowledged(self, presentation: Presentation) -> None:
        """With no worker linked it waits for one: a keeper and workers that start together need a moment to meet."""
        while not self._links or set(self._links) - presentation.acknowledged:
            presentation.changed.clear()
            await presentation.changed.wait()


def _sentence(missing: list[int]) -> str:
    if not missing:
        return "no worker is there to answer the challenge"
    return f"{len(missing)} workers did not confirm the challenge answer in time: {', '.join(map(str, missing))}"
