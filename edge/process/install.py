"""`edge install-service`: unit files, and writing them where systemd looks."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import structs

from edge.config.storage_setting import local_directory
from edge.errors import StartError
from edge.process.inspection import unreadable_directories
from edge.process.systemd_unit import HEADER, Service, service_unit, socket_units
from edge.storage.atomic import temporary_beside

DIRECTORY: Final = Path("/etc/systemd/system")

MODE: Final = 0o644
"""Unit files hold no secrets, and everybody may ask systemd for them anyway."""


def unit_files(service: Service) -> dict[str, str]:
    """Names and texts."""
    return {"edge.service": service_unit(service), **(socket_units(service.config) if service.activated else {})}


def write_units(units: Mapping[str, str], directory: Path = DIRECTORY) -> list[str]:
    """Write all of them, or none: the paths. A file that somebody else wrote is left alone. Raises: StartError."""
    paths = {directory / name: text for name, text in units.items()}
    foreign = [str(path) for path in paths if path.exists() and not _is_ours(path)]
    if foreign:
        raise StartError(
            f"{' and '.join(foreign)} was not made by this command and is left as it is",
            "move it away first, or compare: edge install-service without --write prints",
        )
    for path, text in paths.items():
        _write(path, text)
    return [str(path) for path in paths]


def _is_ours(path: Path) -> bool:
    try:
        return path.read_text(errors="replace").startswith(HEADER)
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    try:
        with temporary_beside(path) as temporary:
            temporary.write_text(text)
            temporary.chmod(MODE)
            temporary.replace(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"{path} cannot be written: {reason}", "run this with sudo, or leave --write away") from error


def find_obstacles(service: Service) -> Iterator[str]:
    """What would keep the service from working, a sentence each."""
    config = service.config
    if not config.user:
        try:
            pwd.getpwnam(service.account)
        except KeyError:
            home = local_directory(config.storage)
            yield (
                f"there is no user {service.account} yet: sudo useradd --system --home-dir {home} --shell /usr/sbin/nologin"
                f" {service.account}"
            )
            return
    yield from unreadable_directories(structs.replace(config, user=config.user or service.account))
    command = service.command[0]
    if command.startswith(("/home/", "/root/")) and not os.access(command, os.X_OK):
        yield f"{command} cannot be run; install edge for all users, as in /opt/edge"
