"""What a worker runs: the contract `service.Service` fulfilled by the real data path. `build` puts its parts together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from edge.certs.publisher import TLSALPN01, ChallengeAnswer
from edge.config.address import UpstreamAddress
from edge.config.maintenance import MaintenanceNotice
from edge.config.moves import Move
from edge.config.purge import Purge
from edge.errors import StartError
from edge.handlers.acme_challenge import ChallengeTable
from edge.handlers.maintenance import MaintenanceSwitch
from edge.net.deadlines import Deadlines
from edge.server.listener import Listener
from edge.server.server import Server
from edge.telemetry.access_log import AccessLog
from edge.telemetry.logs import get_logger
from edge.telemetry.traffic import Traffic
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer
from edge.tls.name_desk import NameDesk, Want
from edge.tls.selector import Selector
from edge.upstream.upstream import Upstream

Upstreams: TypeAlias = Mapping[tuple[str, tuple[UpstreamAddress, ...]], Upstream]
"""First name of a site and addresses → what leads there."""

log = get_logger("process")


class WorkerService:
    """Listeners, connections, certificates, challenges and the access log of one worker."""

    def __init__(
        self,
        server: Server,
        listeners: Sequence[Listener],
        selector: Selector,
        challenges: ChallengeTable,
        maintenance: MaintenanceSwitch,
        deadlines: Deadlines,
        access_log: AccessLog,
        closers: Sequence[Callable[[], None]],
        upstreams: Upstreams,
        requests: Callable[[], tuple[int, ...]],
        purge: Callable[[tuple[Purge, ...]], None] | None = None,
        desk: NameDesk | None = None,
        work_directories: Sequence[str] = (),
    ) -> None:
        self._server = server
        self._listeners = listeners
        self._selector = selector
        self._challenges = challenges
        self._maintenance = maintenance
        self._deadlines = deadlines
        self._access_log = access_log
        self._closers = closers
        self._desk = desk
        self._upstreams = upstreams
        self._requests = requests
        self._purge = purge
        self.work_directories = work_directories
        self._handshakes: dict[int, str] = {}
        self._started = False

    def __repr__(self) -> str:
        return f"<WorkerService {self._server!r} {self._selector!r}>"

    def start(self) -> None:
        """Begin to accept."""
        self._started = True
        for listener in self._listeners:
            listener.start()

    def begin_drain(self) -> None:
        """Accept nothing more, close what is idle, let exchanges in flight finish."""
        if self._started:
            for listener in self._listeners:
                listener.stop()
        if self._desk is not None:
            self._desk.release()
        self._server.begin_drain()

    @property
    def is_drained(self) -> bool:
        """Whether the last connection is gone."""
        return not self._server.connections

    def move_upstream(self, move: Move) -> None:
        """Let what waits for an application go where that is now. One without its roots leaves it waiting."""
        upstream = self._upstreams.get((move.site, move.before))
        if upstream is None:
            return
        try:
            upstream.move(move.after, move.ca_file)
        except StartError as problem:
            log.error("requests cannot follow the application", site=move.site, problem=str(problem))

    def answer_waiting(self) -> None:
        """Answer what would still be waiting when everything ends."""
        for upstream in self._upstreams.values():
            upstream.give_up_waiting()

    def abort_all(self) -> None:
        """End what is left."""
        self._server.abort_all()

    def serve_certificate(self, certified_key: CertifiedKey) -> None:
        """Serve this for its names from the next handshake on. Raises: CertificateError."""
        self._selector.replace(certified_key)
        if self._desk is not None:
            self._desk.listed(certified_key.names)

    def drop_certificate(self, names: tuple[str, ...]) -> None:
        """Serve these names no longer."""
        self._selector.drop(names)

    def present(self, number: int, answer: ChallengeAnswer) -> None:
        """Give this answer from now on. Raises: CertificateError."""
        if isinstance(answer, TLSALPN01):
            self._selector.present_challenge(answer.server_name, answer.chain, answer.key)
            self._handshakes[number] = answer.server_name
        else:
            self._challenges.present(number, answer)

    def clean_up(self, number: int) -> None:
        """Stop giving it."""
        server_name = self._handshakes.pop(number, None)
        if server_name is None:
            self._challenges.clean_up(number)
        elif server_name not in self._handshakes.values():
            self._selector.clean_up_challenge(server_name)

    def use_keeper(self, want: Want | None) -> None:
        """Ask this keeper about names that no site lists, or nobody."""
        if self._desk is not None:
            self._desk.use_keeper(want)

    def offer_certificate(self, certified_key: CertifiedKey) -> None:
        """Serve this if a visitor waits for its name, or an earlier one is held for it."""
        if self._desk is not None:
            self._desk.offered(certified_key)

    def answer_name(self, answer: NameAnswer) -> None:
        """There is no certificate for a name that was wanted, or none yet."""
        if self._desk is not None:
            self._desk.answered(answer)

    def maintain(self, notice: MaintenanceNotice | None) -> None:
        """Keep requests from applications from now on, or no longer."""
        self._maintenance.replace(notice)

    def traffic(self) -> Traffic:
        """What has been served so far."""
        return Traffic(len(self._server.connections), self._requests())

    def purge(self, purges: tuple[Purge, ...]) -> None:
        """Use nothing from the response cache that these cover."""
        if self._purge is not None:
            self._purge(purges)

    def reopen_logs(self) -> None:
        """The access log has been rotated."""
        self._access_log.reopen()

    def tick(self, now: float) -> None:
        """Look at all deadlines, write gathered log lines."""
        self._deadlines.sweep(now)
        self._access_log.flush()

    def close(self) -> None:
        """Release everything."""
        for close in self._closers:
            close()
        self._access_log.close()
