"""What is left of a worker's world: what its configuration names, what Python and the resolver need, and nothing of the storage.

A worker reads what strangers send. Should one of them ever make it do their bidding, file modes protect nothing that belongs to
the worker's own user; these rules do. They are chosen here from the configuration, purely but for looking at links, and enforced
by the kernel (`landlock`). Without Landlock, or with `--confinement off`, file modes are what there is.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from edge.config.address import UpstreamAddress
from edge.config.schema import Config
from edge.process.landlock import APPEND, READ, SPOOL, WORK, Access, Grant, confine, landlock_version
from edge.telemetry.logs import get_logger

SYSTEM: Final = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ca-certificates",
    "/proc/self",
)
"""Libraries and roots of trust, which are loaded when they are first needed."""

RESOLVER: Final = ("/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")
"""Where the answers to host names begin. Directories: their files are replaced while we run."""

DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/tty")

log = get_logger("process")


def confine_worker(config: Config, spool: str, work: Sequence[str] = ()) -> None:
    """Give up everything that a worker of this configuration has no need of; it has loaded its code and opened its log.

    `spool` is a directory of its own for bodies that do not fit into memory, `work` are those that it keeps other things in.
    A kernel that refuses is reported, not an error: the worker is no worse off than without."""
    if not is_confined(config):
        return
    try:
        confine(grants(config, spool, work))
    except OSError as problem:
        log.warning("workers are not confined", problem=problem.strerror)


def is_confined(config: Config) -> bool:
    """Whether workers of this configuration, on this machine, are kept from other files."""
    return config.confinement != "off" and landlock_version() > 0


def grants(config: Config, spool: str, work: Sequence[str] = ()) -> list[Grant]:
    """What workers may do with which files."""
    readable = [*SYSTEM, *_python(), *_served(config)]
    if any(not _is_numeric(address) for address in _upstreams(config)):
        readable += RESOLVER
    found = [Grant(path, READ) for path in dict.fromkeys(readable)]
    found += [Grant(path, Access.READ_FILE | Access.WRITE_FILE) for path in DEVICES]
    if spool:
        found.append(Grant(spool, SPOOL))
    for directory in work:
        found.append(Grant(directory, WORK))
        found.append(Grant(os.path.dirname(directory), Access.REMOVE_DIRECTORY))  # noqa: PTH120  # when it is no longer needed
    if config.log.access.startswith("/"):  # its directory: after a rotation the file is another one
        found.append(Grant(os.path.dirname(config.log.access), APPEND))  # noqa: PTH120
    return found


def _python() -> Iterator[str]:
    """Where modules may still be loaded from, and lines of code for a traceback. Not `sys.path`: it may name the directory
    that edge was started in, and with it everything below."""
    yield from (sys.prefix, sys.base_prefix)
    yield str(Path(__file__).parents[1])


def _served(config: Config) -> Iterator[str]:
    for each in config.sites:
        for mount in (*each.static, *each.internal):
            yield from way_to(mount.directory)
        if each.upstream_ca:
            yield each.upstream_ca


def way_to(directory: str) -> Iterator[str]:
    """The directory, and those that hold a link on the way to it: a deployment turns such a link to a sibling."""
    yield directory
    for path in reversed((Path(directory), *Path(directory).parents)):
        if path.is_symlink():
            yield str(path.parent)


def _upstreams(config: Config) -> Iterator[UpstreamAddress]:
    for each in config.sites:
        yield from each.upstreams
        for route in each.routes:
            yield from route.upstreams


def _is_numeric(address: UpstreamAddress) -> bool:
    try:
        return bool(address.path) or bool(ipaddress.ip_address(address.host))
    except ValueError:
        return False
