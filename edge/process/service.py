"""The contract between the process shells and what they run: the data path in a worker, certificates in the keeper.

The shells know processes, signals and channels; they know nothing of HTTP, TLS or ACME. `edge.process.build` makes the
real parts, tests bring small ones of their own.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from edge.certs.publisher import ChallengeAnswer, Publisher
from edge.certs.requests import Answer, Request
from edge.config.maintenance import MaintenanceNotice
from edge.config.moves import Move
from edge.config.purge import Purge
from edge.config.schema import Config
from edge.net.listening import ListeningSocket
from edge.telemetry.announce import SILENT, Announcer
from edge.telemetry.traffic import Traffic
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer, Reply

if TYPE_CHECKING:  # a supervisor, and the workers that it forks, need no cryptography
    from edge.certs.status import CertificateStatus


class Service(Protocol):
    """What a worker runs. All calls come on its event loop's thread; none may block."""

    def start(self) -> None:
        """Begin to accept. Called once, after the first snapshot of certificates has been handed over."""

    def begin_drain(self) -> None:
        """Accept nothing more, close what is idle, let exchanges in flight finish. May come before `start`.

        A connection that has had no request yet is not idle: its client was let in and is about to ask. Closing it is
        a failed request (measured: five of some thousand at each reload under load).
        When it returns, no listening socket may be watched any longer: the shell closes them."""

    @property
    def is_drained(self) -> bool:
        """Whether nothing is in flight any more. Asked at every tick after `begin_drain`."""

    def move_upstream(self, move: Move) -> None:
        """An application is elsewhere in the configuration of a later generation: let what waits for it go there."""

    def answer_waiting(self) -> None:
        """The drain deadline is near: answer requests that would still be waiting for an application then. May come often."""

    def abort_all(self) -> None:
        """The drain deadline has passed: end what is left, now."""

    def serve_certificate(self, certified_key: CertifiedKey) -> None:
        """Serve this for its names from the next handshake on. Raises: EdgeError; the previous one then stays."""

    def drop_certificate(self, names: tuple[str, ...]) -> None:
        """Serve these names no longer; unknown names are no error."""

    def present(self, number: int, answer: ChallengeAnswer) -> None:
        """Give this answer from the moment this returns until `clean_up(number)`. Raises: EdgeError."""

    def clean_up(self, number: int) -> None:
        """Stop giving the answer; an unknown number is no error."""

    def use_keeper(self, want: Callable[[str, str], None] | None) -> None:
        """`want(name, client)` tells the keeper about a visitor for a name that no site lists; None: there is no keeper."""

    def offer_certificate(self, certified_key: CertifiedKey) -> None:
        """Serve this if a visitor waits for its name, or an earlier one is held for it."""

    def answer_name(self, answer: NameAnswer) -> None:
        """There is no certificate for a name that was wanted, or none yet."""

    @property
    def work_directories(self) -> Sequence[str]:
        """Directories of its own that it writes to, beside the log and the spool. Asked once, before `start`: a confined worker
        reaches no others."""

    def maintain(self, notice: MaintenanceNotice | None) -> None:
        """Answer with this instead of asking applications, until it is None."""

    def purge(self, purges: tuple[Purge, ...]) -> None:
        """Use nothing from the response cache that these cover; they replace those of an earlier call."""

    def reopen_logs(self) -> None:
        """The access log file has been rotated: open it anew."""

    def traffic(self) -> Traffic:
        """What has been served so far. Asked only when the configuration wants metrics."""

    def tick(self, now: float) -> None:
        """Called every `edge.net.deadlines.TICK` seconds with the loop's time: sweep deadlines, flush logs."""

    def close(self) -> None:
        """Flush and release everything; the process ends next."""


class Manager(Protocol):
    """What the keeper runs, on its event loop."""

    async def start(self) -> None:
        """Returns once everything on disk has been published, with placeholders for what is missing.

        MUST NOT wait for a CA. Raises: EdgeError when it cannot work at all; the keeper is then started again later."""

    def reconfigure(self, config: Config) -> None:
        """Work for this configuration from now on. On return, what is on disk for its names has been published, with
        placeholders for the rest, so that workers of the new generation find it in their first snapshot."""

    def want(self, name: str, client: str, caller: int, reply: Reply) -> None:
        """A visitor of the worker `caller` came for a name that no site lists; `reply` may hear more than one answer."""

    async def perform(self, request: Request) -> Answer:
        """What an operator asks for. Never raises for what a CA or a disk does."""

    def statuses(self) -> list[CertificateStatus]:
        """Every certificate of the configuration as it is now."""

    def events(self) -> Mapping[tuple[str, str, str], int]:
        """How often each thing has happened since the start, by CA, event and kind of failure."""

    async def stop(self) -> None:
        """End all work; orders in flight are resumed by the next start. Should return within 5 s."""


BaseContext: TypeAlias = Any
"""The `ssl.SSLContext` made before the first fork, whose session ticket keys all workers share. This room only hands it on."""


def leave_logs_alone(_config: Config) -> None:
    """The `configure_logs` of a program that has set up logging itself."""


@dataclass(frozen=True)
class Parts:
    """How the things that the processes run are made, and the one hook for logging.

    `make_service` and `make_manager` are called in the process that runs the result; a `make_service` that raises
    EdgeError makes the supervisor try again later.
    """

    make_service: Callable[[Config, Sequence[ListeningSocket], BaseContext, asyncio.AbstractEventLoop], Service]
    make_manager: Callable[[Config, Publisher], Manager]
    new_base_context: Callable[[], BaseContext]
    configure_logs: Callable[[Config], None] = leave_logs_alone
    """MUST NOT raise. Called in the supervisor at the start and with each new configuration (workers inherit the
    effect), and in the keeper when it is told about a new one."""

    announcer: Announcer = SILENT
    """Tells a person at a terminal, if there is one, how the start goes."""


def real_parts(configure_logs: Callable[[Config], None] = leave_logs_alone, announcer: Announcer = SILENT) -> Parts:
    """The parts of the product. Imported by name and late: the shells must not depend on what they run."""
    build = importlib.import_module("edge.process.build")
    contexts = importlib.import_module("edge.tls.contexts")
    rates = importlib.import_module("edge.handlers.rate_table").RateTable()  # mapped before any fork: workers share it
    cache = importlib.import_module("edge.handlers.cache.shared").SharedCache()
    make_service = partial(build.build_service, rates=rates, cache=cache)
    return Parts(make_service, build.build_manager, contexts.new_base_context, configure_logs, announcer)
