"""What supervisor, keeper and workers say to each other.

Each message is one packet on a `SOCK_SEQPACKET` pair (see `channel`), encoded as JSON by msgspec; two of them carry a file
descriptor beside the packet. Private keys travel only from the keeper to workers, never through the supervisor.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from edge.certs.publisher import HTTP01, TLSALPN01
from edge.config.maintenance import MaintenanceNotice
from edge.config.moves import Move
from edge.config.schema import Config
from edge.tls.certified_key import CertifiedKey

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


# -- worker or keeper → supervisor ------------------------------------------------------------------------------------


class Ready(Struct, frozen=True, tag="ready"):
    """The worker accepts connections, or the keeper has loaded everything it has on disk."""


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


class SnapshotComplete(Struct, frozen=True, tag="snapshot-complete"):
    """All certificates and pending challenges known to the keeper, and whether there is maintenance, have been sent."""


# -- worker → keeper --------------------------------------------------------------------------------------------------


class Acknowledged(Struct, frozen=True, tag="acknowledged"):
    """The challenge answer `number` is given from now on."""

    number: int


ToWorker: TypeAlias = KeeperLink | Drain | Moved | ReopenLogs
ToKeeper: TypeAlias = Configure | WorkerLink | Drain
ToSupervisor: TypeAlias = Ready | Certified
KeeperToWorker: TypeAlias = (
    ServeCertificate | DropCertificate | PresentChallenge | CleanUpChallenge | Maintain | SnapshotComplete
)
WorkerToKeeper: TypeAlias = Acknowledged
