"""What the commands set in motion outside the command line.

Each action imports what it needs when it is called, so that `edge --help` does not wait for TLS and ACME; tests bring their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.config.maintenance import MaintenanceNotice
    from edge.config.schema import Config
    from edge.process.errands import Answer, Request
    from edge.process.inspection import CertificateStatus
    from edge.process.pid_file import Supervised


def run_supervisor(config: Config, reload: Callable[[], Config]) -> int:
    """Serve until told to stop, and log as each configuration says; the exit status. Raises: ConfigError, StartError."""
    from edge.cli.greeting import greet  # noqa: PLC0415
    from edge.process.inheritance import take_inheritance  # noqa: PLC0415
    from edge.process.service import real_parts  # noqa: PLC0415
    from edge.process.supervisor import run  # noqa: PLC0415
    from edge.telemetry.logs import configure_logs  # noqa: PLC0415

    inheritance = take_inheritance(os.environ)
    announcer = greet(config)
    parts = real_parts(lambda current: configure_logs(current.log.format), announcer)
    return run(config, reload, parts, inheritance)


def find_complaints(config: Config) -> list[str]:
    """What makes the configuration unusable and shows only when files are really read, one sentence each."""
    from edge.process.inspection import find_complaints as find  # noqa: PLC0415

    return find(config)


def describe_machine(config: Config) -> list[str]:
    """What this machine has for the configuration, in lines. Raises: ConfigError."""
    from edge.process.machine import describe_machine as describe  # noqa: PLC0415

    return describe(config)


def find_warnings(config: Config) -> list[str]:
    """What would go wrong if edge were started now, one sentence each."""
    from edge.process.inspection import find_warnings as find  # noqa: PLC0415

    return find(config)


def read_certificates(storage: str) -> list[CertificateStatus]:
    """What the storage directory knows about certificates. Raises: StorageError."""
    from edge.process.inspection import certificates  # noqa: PLC0415

    return certificates(storage)


def ask_keeper(storage: str, request: Request, arguments: Sequence[str]) -> Answer:
    """Have the running edge do it, or one that is started with these flags. Raises: StorageError, StartError."""
    from edge.process.errands import ask_keeper as ask  # noqa: PLC0415
    from edge.process.errands import edge_command  # noqa: PLC0415

    return ask(storage, request, edge_command(arguments))


def import_certificates(config: Config, directory: str, pair: tuple[str, str] | None, dry_run: bool) -> Answer:
    """Take over what others have. Raises: StorageError."""
    from edge.process.importing import import_certificates as take_over  # noqa: PLC0415

    return take_over(config, directory, pair, dry_run=dry_run)


def test_notices(config: Config) -> Answer:
    """Send a notice by every way."""
    from edge.process.notices import send_test  # noqa: PLC0415

    return send_test(config)


def begin_maintenance(storage: str, notice: MaintenanceNotice) -> None:
    """Answer 503 from now on. Raises: StorageError."""
    from edge.process.maintenance import begin_maintenance as begin  # noqa: PLC0415

    begin(storage, notice)


def end_maintenance(storage: str) -> bool:
    """Answer again; whether there was maintenance. Raises: StorageError."""
    from edge.process.maintenance import end_maintenance as end  # noqa: PLC0415

    return end(storage)


def request_upgrade(storage: str) -> tuple[Supervised, Supervised]:
    """Let the edge that runs with this storage be replaced: the old one and the new one. Raises: StartError, StorageError."""
    from edge.process.request_upgrade import request_upgrade as request  # noqa: PLC0415

    return request(storage)


def write_units(units: Mapping[str, str]) -> list[str]:
    """Write unit files where systemd looks: their paths. Raises: StartError."""
    from edge.process.install import write_units as write  # noqa: PLC0415

    return write(units)


def purge_cache(storage: str, site: str, pattern: str) -> bool:
    """Forget stored responses; whether a running edge has followed. Raises: StorageError."""
    from edge.process.purge import purge_cache as purge  # noqa: PLC0415

    return purge(storage, site, pattern)


@dataclass(frozen=True)
class Actions:
    """The outside of the commands. (No msgspec here: this is imported for `--help` too.)"""

    run: Callable[[Config, Callable[[], Config]], int] = run_supervisor
    find_complaints: Callable[[Config], list[str]] = find_complaints
    describe_machine: Callable[[Config], list[str]] = describe_machine
    find_warnings: Callable[[Config], list[str]] = find_warnings
    read_certificates: Callable[[str], list[CertificateStatus]] = read_certificates
    ask_keeper: Callable[[str, Request, Sequence[str]], Answer] = ask_keeper
    import_certificates: Callable[[Config, str, tuple[str, str] | None, bool], Answer] = import_certificates
    test_notices: Callable[[Config], Answer] = test_notices
    begin_maintenance: Callable[[str, MaintenanceNotice], None] = begin_maintenance
    end_maintenance: Callable[[str], bool] = end_maintenance
    request_upgrade: Callable[[str], tuple[Supervised, Supervised]] = request_upgrade
    write_units: Callable[[Mapping[str, str]], list[str]] = write_units
    purge_cache: Callable[[str, str, str], bool] = purge_cache
