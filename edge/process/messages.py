"""What supervisor, keeper and workers say to each other.

They travel over `SOCK_SEQPACKET` pairs (see `channel`), encoded as JSON by msgspec; two of them carry a file descriptor beside
the message. Private keys travel only from the keeper to workers, never through the supervisor.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from edge.certs.publisher import HTTP01, TLSALPN01
from edge.config.maintenance import MaintenanceNotice
from edge.config.moves import Move
from edge.config.purge import Purge
from edge.config.schema import Config
from edge.telemetry.traffic import Traffic
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer

# -- supervisor → worker or keeper ------------------------------------------------------------------------------------


class Configure(Struct, frozen=True, tag="configure"):
    """To the keeper: the configuration of a new generation. (Workers are born with theirs.)"""

    config: Config
    generation: int


class WorkerLink(Struct, frozen=True, tag="worker-link"):
    """To the keeper, with a descriptor: the channel to a worker that has just been started."""

    worker: int


class KeeperLink(Struct, frozen=True, tag="keeper-link"):
    """To a worker, with a descriptor: the channel to the keeper, new after each restart of the keeper."""


class Drain(Struct, frozen=True, tag="drain"):
    """To a worker: take nothing new, finish what is in flight within `seconds`, then exit. To the keeper: stop."""

    seconds: float


class Moved(Struct, frozen=True, tag="moved"):
    """To a worker of an earlier generation: an application of its is elsewhere."""

    move: Move


class ReopenLogs(Struct, frozen=True, tag="reopen-logs"):
    """To a worker: open the access log file anew, it has been rotated. (The keeper writes none.)"""


class Release(Struct, frozen=True, tag="release"):
    """To a keeper that was born into an upgrade: the old workers accept nothing any more, challenges may be presented."""


# -- worker or keeper → supervisor ------------------------------------------------------------------------------------


class Ready(Struct, frozen=True, tag="ready"):
    """The worker accepts connections, or the keeper has loaded everything it has on disk."""


class Stopped(Struct, frozen=True, tag="stopped"):
    """The worker accepts no more connections."""


class Alive(Struct, frozen=True, tag="alive"):
    """The event loop of this process turns. Sent only where a watchdog wants to know."""


class Certified(Struct, frozen=True, tag="certified"):
    """From the keeper: every name of its configuration is served with a real certificate."""


# -- keeper → worker --------------------------------------------------------------------------------------------------


class ServeCertificate(Struct, frozen=True, tag="serve-certificate"):
    """Serve this for its names, replacing what served them."""

    certified_key: CertifiedKey


class DropCertificate(Struct, frozen=True, tag="drop-certificate"):
    """Serve these names no longer."""

    names: tuple[str, ...]


class PresentChallenge(Struct, frozen=True, tag="present-challenge"):
    """Give this answer, then say `Acknowledged(number)`."""

    number: int
    answer: HTTP01 | TLSALPN01


class CleanUpChallenge(Struct, frozen=True, tag="clean-up-challenge"):
    """Stop giving the answer presented as `number`."""

    number: int


class Maintain(Struct, frozen=True, tag="maintain"):
    """Tell visitors this instead of asking applications; None ends it."""

    notice: MaintenanceNotice | None


class OfferCertificate(Struct, frozen=True, tag="offer-certificate"):
    """Serve this if somebody waits for its name, which no site lists, or if an earlier one is held for it."""

    certified_key: CertifiedKey


class AnswerName(Struct, frozen=True, tag="answer-name"):
    """There is no certificate for a name that was wanted, or none yet."""

    answer: NameAnswer


class PurgeCache(Struct, frozen=True, tag="purge-cache"):
    """Use nothing from the response cache that these cover; they replace those of an earlier message."""

    purges: tuple[Purge, ...]


class SnapshotComplete(Struct, frozen=True, tag="snapshot-complete"):
    """All certificates and pending challenges known to the keeper, maintenance and purges have been sent."""


# -- worker → keeper --------------------------------------------------------------------------------------------------


class Acknowledged(Struct, frozen=True, tag="acknowledged"):
    """The challenge answer `number` is given from now on."""

    number: int


class WantName(Struct, frozen=True, tag="want-name"):
    """A visitor (numeric address) came for a name that no site lists."""

    name: str
    client: str


class Served(Struct, frozen=True, tag="served"):
    """How much the worker has served so far, every few seconds where metrics are wanted."""

    traffic: Traffic


ToWorker: TypeAlias = KeeperLink | Drain | Moved | ReopenLogs
ToKeeper: TypeAlias = Configure | WorkerLink | Drain | Release
ToSupervisor: TypeAlias = Ready | Certified | Stopped | Alive
KeeperToWorker: TypeAlias = (
    ServeCertificate
    | DropCertificate
    | PresentChallenge
    | CleanUpChallenge
    | Maintain
    | PurgeCache
    | SnapshotComplete
    | OfferCertificate
    | AnswerName
)
WorkerToKeeper: TypeAlias = Acknowledged | Served | WantName
