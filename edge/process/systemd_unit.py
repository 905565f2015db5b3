"""The systemd unit for a configuration: as few rights as edge needs for exactly that. Pure: a configuration in, text out.

Two ways to run, by `--user`:

    none      all of edge is one ordinary user, whose only capability is to bind low ports; Landlock keeps workers from the keys
    NAME      supervisor and keeper are root without most of root's rights, the workers are NAME

Reference: systemd.exec(5), systemd.service(5), `systemd-analyze security`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from edge.config.schema import Config
from edge.config.storage_setting import local_directory

HEADER: Final = "# Made by: edge install-service"
"""The first line; only a file that begins with it is ever written over."""

STOP_MARGIN: Final = 20
"""Seconds behind the drain: for the keeper's stop, and for killing what does not end."""

WATCHDOG: Final = 30
"""Seconds without a sign of life after which systemd restarts edge."""

DESCRIPTORS: Final = 65536
"""One per visitor's connection, one more per connection to the application."""

HOMES: Final = ("/home", "/root", "/run/user")
"""What ProtectHome hides."""

TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108  # compared with, not written to
"""What PrivateTmp replaces by directories of its own."""

ROOT_CAPABILITIES: Final = (
    "CAP_NET_BIND_SERVICE",
    "CAP_SETUID",  # workers become another user
    "CAP_SETGID",
    "CAP_CHOWN",  # their log file is made for them
    "CAP_KILL",  # and they are ended when they hang
    "CAP_DAC_READ_SEARCH",  # keys of your own may belong to somebody else
)

ALWAYS: Final = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self",
)
"""Nothing of this is in the way of edge, whatever it serves."""


class Service(Struct, frozen=True):
    """`command` starts edge, every path in it absolute. `account` is the user of a service without root. `activated`: systemd
    opens the sockets, so that no right to bind is needed at all."""

    config: Config
    command: tuple[str, ...]
    account: str
    activated: bool = False


def service_unit(service: Service) -> str:
    """The text of edge.service."""
    sockets = " ".join(socket_units(service.config)) if service.activated else ""
    paragraphs = (_life(service), _rights(service), _files(service), _confinement(service))
    running = "\n\n".join("\n".join(lines) for lines in paragraphs).split("\n")
    sections = {
        "Unit": [
            "Description=edge, the web server in front",
            "After=network-online.target",
            "Wants=network-online.target",
        ],
        "Service": [*running, *([f"Sockets={sockets}"] if sockets else [])],
        "Install": ["WantedBy=multi-user.target", *([f"Also={sockets}"] if sockets else [])],
    }
    return _text(sections)


def socket_units(config: Config) -> dict[str, str]:
    """The texts of edge.socket (HTTPS) and edge-http.socket, by name: one unit for each purpose, because a name is given to all
    sockets of a unit."""
    ports = {"edge.socket": ("https", config.listen.https_port), "edge-http.socket": ("http", config.listen.http_port)}
    return {unit: _socket_unit(config, name, port) for unit, (name, port) in ports.items() if port}


def _socket_unit(config: Config, name: str, port: int) -> str:
    addresses = config.listen.bind or ("0.0.0.0", "::")  # noqa: S104  # a public server listens everywhere unless told otherwise
    streams = [f"ListenStream={f'[{each}]' if ':' in each else each}:{port}" for each in addresses]
    sections = {
        "Unit": [f"Description=edge, sockets for {name}"],
        "Socket": [
            *streams,
            "BindIPv6Only=ipv6-only",
            f"FileDescriptorName={name}",
            "Service=edge.service",
            "Backlog=1024",
        ],
        "Install": ["WantedBy=sockets.target"],
    }
    return _text(sections)


def _text(sections: dict[str, list[str]]) -> str:
    parts = [f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items()]
    return f"{HEADER}\n" + "\n".join(parts)


def _life(service: Service) -> Iterator[str]:
    stop = math.ceil(service.config.drain_seconds) + STOP_MARGIN
    yield "Type=notify"
    yield "NotifyAccess=main"
    yield f"ExecStart={' '.join(map(quote, service.command))}"
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield "Restart=on-failure"
    yield "RestartSec=1"
    yield f"WatchdogSec={WATCHDOG}"
    yield "KillMode=mixed"
    yield f"TimeoutStopSec={stop}"
    yield f"LimitNOFILE={DESCRIPTORS}"
    yield "LimitCORE=0"


def _rights(service: Service) -> Iterator[str]:
    if service.config.user:
        yield f"CapabilityBoundingSet={' '.join(ROOT_CAPABILITIES)}"
        return
    capability = "" if service.activated else "CAP_NET_BIND_SERVICE"
    yield f"User={service.account}"
    yield f"Group={service.account}"
    yield f"AmbientCapabilities={capability}"
    yield f"CapabilityBoundingSet={capability}"


def _files(service: Service) -> Iterator[str]:
    yield "UMask=0077"
    storage = Path(local_directory(service.config.storage))
    if storage.parent == Path("/var/lib"):
        yield f"StateDirectory={quote(storage.name)}"
        yield "StateDirectoryMode=0700"
    else:
        yield f"ReadWritePaths={quote(str(storage))}"
    if service.config.cache.disk:
        yield f"ReadWritePaths={quote(service.config.cache.disk)}"
    log = Path(service.config.log.access)
    if log.is_absolute():
        yield f"ReadWritePaths={quote(f'-{log.parent}')}"


def _confinement(service: Service) -> Iterator[str]:
    used = list(_paths(service))
    yield from ALWAYS
    if not service.config.user:
        yield "SystemCallFilter=~@privileged @resources"
        yield "SystemCallFilter=capset"  # with which workers give the one capability up
    yield f"ProtectHome={'read-only' if _lies_below(used, HOMES) else 'yes'}"
    if not _lies_below(used, TEMPORARY):
        yield "PrivateTmp=yes"


def _paths(service: Service) -> Iterator[str]:
    """Everything that the configuration names in the file system."""
    config = service.config
    yield from (word for word in service.command if word.startswith("/"))
    yield from (path for path in (local_directory(config.storage), config.cache.disk) if path)
    for site in config.sites:
        yield from (mount.directory for mount in (*site.static, *site.internal))
        yield from (page.path for page in site.error_pages)
        addresses = (*site.upstreams, *(address for route in site.routes for address in route.upstreams))
        yield from (address.path for address in addresses if address.path)
        if site.key_pair is not None:
            yield from (site.key_pair.certificate, site.key_pair.key)


def _lies_below(paths: Iterable[str], directories: tuple[str, ...]) -> bool:
    return any(Path(path).is_relative_to(directory) for path in paths for directory in directories)


def quote(word: str) -> str:
    """A word as unit files take it (systemd.service(5), "Command lines"): `%` and `$` stand for themselves."""
    plain = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    if plain and not set(plain) & set(" \t'\";"):
        return plain
    return '"' + plain.replace('"', '\\"') + '"'
