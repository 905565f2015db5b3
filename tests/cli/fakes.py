"""A stand-in for what the commands set in motion, and running a command in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from edge.certs.requests import Answer, Request
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
    answer: Answer = field(default_factory=lambda: Answer(True, ("done",)))
    asked: list[tuple[Request, list[str]]] = field(default_factory=list)
    imports: list[tuple[str, tuple[str, str] | None, bool]] = field(default_factory=list)
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

    def ask_keeper(self, storage: str, request: Request, arguments: Sequence[str]) -> Answer:
        self.storage = storage
        self.asked.append((request, list(arguments)))
        return self.answer

    def import_certificates(
        self, config: Config, directory: str, pair: tuple[str, str] | None, dry_run: bool
    ) -> Answer:
        self.imports.append((directory, pair, dry_run))
        self.configs.append(config)
        return self.answer

    def test_notices(self, config: Config) -> Answer:
        self.configs.append(config)
        return self.answer

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
            ask_keeper=self.ask_keeper,
            import_certificates=self.import_certificates,
            test_notices=self.test_notices,
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
