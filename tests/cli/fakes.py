"""A stand-in for what the commands set in motion, and running a command in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from edge.cli.actions import Actions
from edge.cli.main import execute
from edge.config.maintenance import MaintenanceNotice
from edge.config.schema import Config
from edge.process.inspection import CertificateStatus
from edge.process.pid_file import Supervised


@dataclass
class FakeWorld:
    """Remembers what was run; answers what it is told to."""

    status: int = 0
    failure: BaseException | None = None
    complaints: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    certificates: list[CertificateStatus] = field(default_factory=list)
    configs: list[Config] = field(default_factory=list)
    reload: Callable[[], Config] | None = None
    storage: str = ""
    notice: MaintenanceNotice | None = None
    units: dict[str, str] = field(default_factory=dict)
    purged: tuple[str, str] | None = None
    runs: bool = True

    def run(self, config: Config, reload: Callable[[], Config]) -> int:
        self.configs.append(config)
        self.reload = reload
        if self.failure:
            raise self.failure
        return self.status

    def read_certificates(self, storage: str) -> list[CertificateStatus]:
        self.storage = storage
        if self.failure:
            raise self.failure
        return self.certificates

    def begin_maintenance(self, storage: str, notice: MaintenanceNotice) -> None:
        self.storage, self.notice = storage, notice

    def end_maintenance(self, storage: str) -> bool:
        was_on = self.notice is not None
        self.storage, self.notice = storage, None
        return was_on

    def request_upgrade(self, storage: str) -> tuple[Supervised, Supervised]:
        self.storage = storage
        if self.failure:
            raise self.failure
        return Supervised(10, 1, "1.0"), Supervised(20, 2, "2.0")

    def write_units(self, units: Mapping[str, str]) -> list[str]:
        if self.failure:
            raise self.failure
        self.units = dict(units)
        return [f"/etc/systemd/system/{name}" for name in units]

    def purge_cache(self, storage: str, site: str, pattern: str) -> bool:
        self.storage, self.purged = storage, (site, pattern)
        return self.runs

    def actions(self) -> Actions:
        return Actions(
            run=self.run,
            find_complaints=lambda _config: self.complaints,
            describe_machine=lambda _config: ["this machine"],
            find_warnings=lambda _config: self.warnings,
            read_certificates=self.read_certificates,
            begin_maintenance=self.begin_maintenance,
            end_maintenance=self.end_maintenance,
            request_upgrade=self.request_upgrade,
            write_units=self.write_units,
            purge_cache=self.purge_cache,
        )


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


@dataclass
class CommandLine:
    """Runs commands against one fake world."""

    world: FakeWorld
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Outcome:
        status = execute(arguments, self.world.actions())
        captured = self.capture.readouterr()
        return Outcome(status, captured.out, captured.err)
