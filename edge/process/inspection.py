"""Looks at the world from outside a running edge, for `edge check` and `edge certs`. Changes nothing.

What is found here is true now and may not be in a minute, so it warns and never stops a start; the exception are key pairs,
which are part of the configuration.
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge.certs.budget import Budget
from edge.certs.ledger import read_entries
from edge.certs.own import load_own
from edge.certs.status import CertificateStatus, read_certificates
from edge.config.address import UpstreamAddress
from edge.config.on_demand_schema import AskURL
from edge.config.schema import Config
from edge.config.storage_setting import local_directory, server_of
from edge.errors import ConfigError, StartError, StorageError
from edge.net.listening import close_listeners, open_listeners
from edge.storage.filesystem import FileSystemStorage
from edge.storage.opening import open_storage, weaknesses

__all__ = [
    "Budget",
    "CertificateStatus",
    "certificates",
    "find_complaints",
    "find_warnings",
    "first_barrier",
    "upstream_problem",
]

CONNECT_TIMEOUT: Final = 1.0
"""Seconds. A person waits for the answer; an origin on this machine or beside it takes a millisecond."""


def certificates(storage: str, wall_clock: Callable[[], float] = time.time) -> list[CertificateStatus]:
    """What the storage knows about certificates, whether or not edge runs. Raises: StorageError."""
    opened = open_storage(storage)
    return read_certificates(opened, wall_clock(), read_entries(opened))


def find_complaints(config: Config) -> list[str]:
    """Key pairs that cannot be used: a sentence each. (The files exist and look like PEM; here they are really read.)"""
    complaints: list[str] = []
    for site in config.sites:
        try:
            if site.key_pair:
                load_own(site.key_pair)
        except ConfigError as error:
            complaints += error.complaints
    return complaints


def find_warnings(config: Config) -> list[str]:
    """What would go wrong if edge were started now, one sentence each."""
    storage = [*_storage(local_directory(config.storage)), *_server(config.storage)]
    found = [*_ports(config), *_upstreams(config), *_ask(config), *storage, *unreadable_directories(config)]
    return list(dict.fromkeys(found))


def _ports(config: Config) -> Iterator[str]:
    """Opens the listening sockets as a start would, and closes them at once."""
    try:
        close_listeners(open_listeners(config.listen))
    except StartError as error:
        yield "; ".join([str(error), *error.hints[:1]])


def _upstreams(config: Config) -> Iterator[str]:
    for site in config.sites:
        for address in dict.fromkeys((*site.upstreams, *(each for route in site.routes for each in route.upstreams))):
            problem = upstream_problem(address)
            if problem:
                yield f"upstream {address} {problem}"


def _ask(config: Config) -> Iterator[str]:
    """Who says which names are welcome."""
    if config.on_demand is not None and isinstance(config.on_demand.ask, AskURL):
        problem = upstream_problem(config.on_demand.ask.address)
        if problem:
            yield f"[on_demand] ask: {config.on_demand.ask} {problem}"


def upstream_problem(address: UpstreamAddress) -> str:
    """Why the origin takes no connection right now, as the end of a sentence; "" when it does."""
    try:
        _connect(address)
    except TimeoutError:
        return f"did not answer within {CONNECT_TIMEOUT:g} s; check the address and the firewall"
    except ConnectionRefusedError:
        if address.path:
            return "exists but nobody listens: the file is left from an earlier run; start the application"
        return "refused the connection: nothing listens there; start the application"
    except FileNotFoundError:
        return "does not exist; start the application, or check the path"
    except PermissionError:
        return "may not be opened by this user; give it a group that edge is in (gunicorn: --umask 007)"
    except socket.gaierror:
        return "cannot be resolved; check the host name"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    return ""


def _connect(address: UpstreamAddress) -> None:
    if not address.path:
        socket.create_connection((address.host, address.port), CONNECT_TIMEOUT).close()
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(CONNECT_TIMEOUT)
        sock.connect(address.path)


def _storage(directory: str) -> Iterator[str]:
    """The directory, or the nearest one above it that exists, must be writable."""
    existing = next(path for path in (Path(directory), *Path(directory).parents) if os.path.exists(path))  # noqa: PTH110  # False, not an error, below directories of others
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        yield f"storage {directory} cannot be written by this user: {existing} belongs to {_owner(existing)}"
        return
    try:
        is_newer = FileSystemStorage(Path(directory)).is_newer()
    except StorageError as error:
        yield str(error)
        return
    if is_newer:
        yield (
            f"storage {directory} was written by a newer edge: what is in it is served, but no certificate is ordered or renewed;"
            " upgrade edge, or choose another --storage"
        )


def _server(setting: str) -> Iterator[str]:
    """A server must answer, and should keep what it is given, for itself."""
    where = server_of(setting)
    if where is None:
        return
    if where.key is None:
        yield f"private keys can be read by whoever reads {where}; a storage key seals them: ?key_file=FILE"
    if where.tls == "disable" and not where.is_on_this_machine:
        yield f"what is sent to {where} can be read on the way; rediss:// and sslmode=verify-full encrypt it"
    try:
        yield from weaknesses(where)
    except StorageError as error:
        yield str(error)


def _owner(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def unreadable_directories(config: Config) -> Iterator[str]:
    """Static directories are read by the workers, who may be somebody else than the user that starts edge."""
    if not config.user:
        return
    user = pwd.getpwnam(config.user)
    groups = frozenset(os.getgrouplist(user.pw_name, user.pw_gid))
    for site in config.sites:
        for mount in (*site.static, *site.internal):
            barrier = first_barrier(Path(mount.directory), user.pw_uid, groups)
            if barrier:
                mode = stat.S_IMODE(barrier.stat().st_mode)
                yield f"directory {mount.directory} cannot be read by {config.user}: {barrier} has mode {mode:04o}"


def first_barrier(directory: Path, uid: int, groups: frozenset[int]) -> Path | None:
    """The first directory on the way from the root that the user may not pass, or may not list at the end; None when there
    is none. Looks at modes only, not at access control lists."""
    for path in (*reversed(directory.parents), directory):
        wanted = stat.S_IXOTH | (stat.S_IROTH if path == directory else 0)
        if not _allows(path.stat(), uid, groups, wanted):
            return path
    return None


def _allows(status: os.stat_result, uid: int, groups: frozenset[int], wanted: int) -> bool:
    """`wanted` are bits of the last digit of a mode."""
    if uid == 0:
        return True
    shift = 6 if status.st_uid == uid else 3 if status.st_gid in groups else 0
    return (status.st_mode >> shift) & wanted == wanted
