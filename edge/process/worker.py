"""The shell of a worker: it feeds a service with certificates and ends it in an orderly way.

    born ── KeeperLink, snapshot complete ──> accepting ── Drain, SIGTERM or the supervisor's end ──> draining ──> gone

The keeper may come and go: its channel is replaced by each `KeeperLink`, and what it said before stays in force. Only
challenge answers of an earlier keeper end when the new one has told everything, because nobody would clean them up.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from typing import Final

from edge.certs.publisher import ChallengeAnswer
from edge.config.schema import Config
from edge.errors import EdgeError
from edge.net.deadlines import TICK
from edge.net.listening import ListeningSocket
from edge.process.channel import Channel
from edge.process.channel_on_loop import ChannelOnLoop
from edge.process.confinement import confine_worker
from edge.process.event_loop import new_event_loop
from edge.process.generation import Generation
from edge.process.messages import (
    Acknowledged,
    Alive,
    AnswerName,
    CleanUpChallenge,
    Drain,
    DropCertificate,
    KeeperLink,
    KeeperToWorker,
    Maintain,
    Moved,
    OfferCertificate,
    PresentChallenge,
    PurgeCache,
    Ready,
    ReopenLogs,
    ServeCertificate,
    Served,
    SnapshotComplete,
    Stopped,
    ToSupervisor,
    ToWorker,
    WantName,
    WorkerToKeeper,
)
from edge.process.service import BaseContext, Parts, Service
from edge.process.spawn import settle_child
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey

EXIT_OK: Final = 0

REPORT_TICKS: Final = 20
"""Ticks (of a quarter of a second) between two reports of what has been served; scrapers come every 10 s and less often."""

LAST_WORDS: Final = 2 * TICK
"""Seconds before the drain deadline in which whoever still waits for an application is answered: one tick comes in any case."""

log = get_logger("process")


def run_worker(
    generation: Generation,
    supervisor: socket.socket,
    parts: Parts,
    base_context: BaseContext,
    parent: int,
    beat: float = 0.0,
    spool: str = "",
) -> int:
    """The whole life of a worker process; the exit status. `beat`: seconds between two signs of life, 0.0 for none.
    `spool`: a directory for this and its siblings alone.

    Raises: EdgeError when the service cannot be made.
    """
    settle_child(parent, generation.account)
    config = generation.config
    loop = new_event_loop(config.loop)
    service = parts.make_service(config, generation.listeners, base_context, loop)
    if spool:
        tempfile.tempdir = spool
    confine_worker(config, spool, service.work_directories)
    worker = Worker(loop, config, generation.listeners, service, supervisor)
    loop.add_signal_handler(signal.SIGTERM, worker.drain, config.drain_seconds)
    if beat:
        worker.beat(beat)
    loop.run_forever()
    service.close()
    return EXIT_OK


class Worker:
    """Connects one service to the supervisor and to the keeper of the day."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        config: Config,
        listeners: tuple[ListeningSocket, ...],
        service: Service,
        supervisor: socket.socket,
    ) -> None:
        self._loop = loop
        self._config = config
        self._names = frozenset(config.names)
        self._listeners = listeners
        self._service = service
        self._accepting = False
        self._ticks = 0
        self._drain_deadline: float | None = None
        channel: Channel[ToWorker, ToSupervisor] = Channel(supervisor, ToWorker, attachments=True)
        self._supervisor = ChannelOnLoop(loop, channel, self._supervisor_said, self._supervisor_gone)
        self._keeper: ChannelOnLoop[KeeperToWorker, WorkerToKeeper] | None = None
        self._answers: set[int] = set()
        self._answers_of_earlier_keepers: set[int] = set()
        loop.call_later(TICK, self._tick)

    def drain(self, seconds: float) -> None:
        """Accept nothing more and end as soon as nothing is in flight, after `seconds` at the latest.

        Said again, the earlier deadline counts."""
        deadline = self._loop.time() + seconds
        if self._drain_deadline is None:
            log.debug("worker drains", pid=os.getpid(), seconds=seconds)
            self._drain_deadline = deadline
            self._service.begin_drain()
            for listener in self._listeners:
                listener.sock.close()
            self._supervisor.send(Stopped())
        self._drain_deadline = min(self._drain_deadline, deadline)
        self._leave_if_drained()

    def beat(self, seconds: float) -> None:
        """Tell the supervisor, now and every so often, that this loop turns."""
        self._supervisor.send(Alive())
        self._loop.call_later(seconds, self.beat, seconds)

    def _leave_if_drained(self) -> None:
        if self._drain_deadline is None:
            return
        if not self._service.is_drained:
            left = self._drain_deadline - self._loop.time()
            if 0 < left <= LAST_WORDS:
                self._service.answer_waiting()
            if left > 0:
                return
            log.warning("drain deadline passed, ending what is in flight", pid=os.getpid())
            self._service.abort_all()
        self._loop.stop()

    def _tick(self) -> None:
        self._loop.call_later(TICK, self._tick)
        self._leave_if_drained()  # first: it must not depend on what the service does
        self._service.tick(self._loop.time())
        if self._config.metrics is not None:
            self._report_traffic()

    def _report_traffic(self) -> None:
        self._ticks += 1
        if self._keeper is not None and self._ticks % REPORT_TICKS == 0:
            self._keeper.send(Served(self._service.traffic()))

    # -- the supervisor -----------------------------------------------------------------------------------------------

    def _supervisor_said(self, message: ToWorker, attachment: socket.socket | None) -> None:
        match message:
            case KeeperLink() if attachment is not None:
                self._link_keeper(attachment)
            case Drain(seconds):
                self.drain(seconds)
            case Moved(move):
                self._service.move_upstream(move)
            case ReopenLogs():
                self._service.reopen_logs()

    def _supervisor_gone(self) -> None:
        log.warning("supervisor is gone, worker drains", pid=os.getpid())
        self.drain(self._config.drain_seconds)

    def _link_keeper(self, sock: socket.socket) -> None:
        if self._keeper is not None:
            self._keeper.close()
        self._answers_of_earlier_keepers |= self._answers
        self._answers = set()
        channel: Channel[KeeperToWorker, WorkerToKeeper] = Channel(sock, KeeperToWorker)
        self._service.use_keeper(None)
        self._keeper = ChannelOnLoop(self._loop, channel, self._keeper_said, self._keeper_gone)

    # -- the keeper ---------------------------------------------------------------------------------------------------

    def _keeper_gone(self) -> None:
        """Serving goes on; the supervisor starts another one and sends the link to it."""
        self._service.use_keeper(None)

    def _keeper_said(self, message: KeeperToWorker, _attachment: socket.socket | None) -> None:
        match message:
            case ServeCertificate(certified_key):
                self._serve_certificate(certified_key)
            case DropCertificate(names):
                self._drop_certificate(names)
            case PresentChallenge(number, answer):
                self._present(number, answer)
            case CleanUpChallenge(number):
                self._answers.discard(number)
                self._service.clean_up(number)
            case OfferCertificate(certified_key):
                self._service.offer_certificate(certified_key)
            case AnswerName(answer):
                self._service.answer_name(answer)
            case Maintain(notice):
                self._service.maintain(notice)
            case PurgeCache(purges):
                self._service.purge(purges)
            case SnapshotComplete():
                self._snapshot_complete()

    def _serve_certificate(self, certified_key: CertifiedKey) -> None:
        try:
            self._service.serve_certificate(certified_key)
        except EdgeError as problem:
            log.error(
                "certificate refused, the previous one stays", certificate=repr(certified_key), problem=str(problem)
            )

    def _drop_certificate(self, names: tuple[str, ...]) -> None:
        """A worker of an older generation keeps what its own configuration names until it is replaced."""
        if self._names.isdisjoint(names):
            self._service.drop_certificate(names)

    def _present(self, number: int, answer: ChallengeAnswer) -> None:
        try:
            self._service.present(number, answer)
        except EdgeError as problem:  # no acknowledgement: the keeper must not send the CA here
            log.error("challenge refused", answer=repr(answer), problem=str(problem))
            return
        self._answers.add(number)
        if self._keeper is not None:
            self._keeper.send(Acknowledged(number))

    def _snapshot_complete(self) -> None:
        for number in self._answers_of_earlier_keepers:
            self._service.clean_up(number)
        self._answers_of_earlier_keepers = set()
        self._service.use_keeper(self._want)
        if not self._accepting and self._drain_deadline is None:
            self._accepting = True
            self._service.start()
            self._supervisor.send(Ready())

    def _want(self, name: str, client: str) -> None:
        if self._keeper is not None:
            self._keeper.send(WantName(name, client))
