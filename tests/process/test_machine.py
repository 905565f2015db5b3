"""What `edge check` says about the machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.process import machine
from edge.process.inspection import find_warnings
from edge.process.machine import describe_machine
from tests.process.running import sample_config


def rows(lines: list[str]) -> dict[str, str]:
    return {line[2:15].strip(): line[16:] for line in lines[1:]}


def test_every_capability_has_a_line(tmp_path: Path) -> None:
    """Protocols, key exchange, engine, loop and what confines."""
    config = msgspec.structs.replace(sample_config(tmp_path), http2_engine="h2", loop="uvloop")
    found = rows(describe_machine(config))
    assert list(found) == [
        "tls", "key exchange", "post-quantum", "http/2 engine", "event loop", "landlock", "seccomp",
    ]  # fmt: skip
    assert found["tls"].startswith("TLS 1.2 and TLS 1.3, OpenSSL ")
    assert (found["http/2 engine"], found["event loop"]) == ("h2", "uvloop")


@pytest.mark.parametrize(
    ("version", "confinement", "words"),
    [
        (0, "auto", "no: workers are kept from the storage by file modes only"),
        (1, "auto", "version 1, for files"),
        (4, "auto", "version 4, for files and opening ports"),
        (7, "off", "turned off by --confinement off"),
    ],
)
def test_what_landlock_can_do_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, confinement: str, words: str
) -> None:
    """Old kernels know less of it."""
    monkeypatch.setattr(machine, "landlock_version", lambda: version)
    config = msgspec.structs.replace(sample_config(tmp_path), confinement=confinement)
    assert words in rows(describe_machine(config))["landlock"]


@pytest.mark.parametrize("version", [b"2\n", b"nonsense"])
def test_a_storage_of_a_newer_edge_is_a_warning(tmp_path: Path, version: bytes) -> None:
    """It is served, and nothing in it is renewed: whoever goes back a version should know before the certificates end."""
    (tmp_path / "VERSION").write_bytes(version)
    (warning,) = find_warnings(sample_config(tmp_path))
    assert "was written by a newer edge" in warning
    (tmp_path / "VERSION").write_bytes(b"1\n")
    assert find_warnings(sample_config(tmp_path)) == []
