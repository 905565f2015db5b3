"""Thousands of names, each with a certificate of its own: they start in time that grows with their number and no faster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.acme_site import served_certificate
from tests.blackbox.edge_process import EdgeProcess
from tests.certificates import make_certified_key

FEW, MANY = 200, 2000

MEMORY_PER_NAME = 24 * 1024
"""Bytes in keeper and one worker together; the certificates here are short, so this is about everything else."""


class Crowd:
    """A running edge with `count` sites."""

    def __init__(self, directory: Path, count: int) -> None:
        self.names = [f"n{number}.customers.test" for number in range(count)]
        (directory / "edge.toml").write_text("\n".join(self._site(directory, name) for name in self.names))
        flags = ("--config", str(directory / "edge.toml"))
        self.edge = EdgeProcess(directory, *flags, workers=1).start()
        self.edge.wait_for('"event":"serving"')
        self.cpu = sum(cpu_seconds(pid) for pid in self.edge.processes())
        self.memory = self.edge.memory()

    @staticmethod
    def _site(directory: Path, name: str) -> str:
        certified = make_certified_key(name)
        (directory / f"{name}.pem").write_bytes(certified.chain)
        (directory / f"{name}.key").write_bytes(certified.key)
        return f'[[site]]\nnames = ["{name}"]\nupstream = "127.0.0.1:9"\ncert = "{name}.pem"\nkey = "{name}.key"\n'


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Crowd, Crowd]]:
    """A few names, and ten times as many."""
    few, many = (Crowd(tmp_path_factory.mktemp(str(count)), count) for count in (FEW, MANY))
    yield few, many
    assert (few.edge.stop(), many.edge.stop()) == (0, 0)


def test_all_of_two_thousand_names_are_served(crowds: tuple[Crowd, Crowd]) -> None:
    """The first, the last and those between, each with its own certificate; those that nobody asked for before too."""
    _, many = crowds
    for name in many.names[:: MANY // 20] + many.names[-1:]:
        leaf = served_certificate(many.edge.https_port, name)
        assert leaf.subject.rfc4514_string() == f"CN={name}"


def test_the_start_takes_no_more_for_each_of_many_names(crowds: tuple[Crowd, Crowd]) -> None:
    """CPU time for ten times the names is less than ten times as much; where each name looked at all others it was more."""
    few, many = crowds
    assert many.cpu < few.cpu * MANY / FEW


def test_the_memory_of_a_name_is_bounded(crowds: tuple[Crowd, Crowd]) -> None:
    """A name that nobody visits costs its certificate and its site, not a TLS context."""
    few, many = crowds
    assert (many.memory - few.memory) / (MANY - FEW) < MEMORY_PER_NAME


def test_a_reload_tells_the_keeper_of_all_of_them(crowds: tuple[Crowd, Crowd]) -> None:
    """The configuration is longer than one packet of the channel."""
    _, many = crowds
    many.edge.process.send_signal(signal.SIGHUP)
    many.edge.wait_for('"serving","generation":2,')
    assert served_certificate(many.edge.https_port, many.names[-1])
