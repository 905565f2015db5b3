"""Paths that the operator named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.files import absolute, log_file, pem_labels, readable_directory, storage_directory
from tests.config.workspace import CERTIFICATE, KEY

Check: TypeAlias = Callable[[str, str], str]

CHECKS: list[Check] = [readable_directory, log_file, storage_directory]


def test_paths_become_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """From their base, with home and dots resolved on paper."""
    monkeypatch.setenv("HOME", "/home/a")
    assert absolute("static", "/srv/site") == "/srv/site/static"
    assert absolute("../static/./", "/srv/site") == "/srv/static"
    assert absolute("/etc", "/srv") == "/etc"
    assert absolute("~/static", "/srv") == "/home/a/static"


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    """The kernel could not open it."""
    with pytest.raises(ValueError, match="no path"):
        absolute(text, "/")


@pytest.fixture
def closed_door(tmp_path: Path) -> Iterator[str]:
    """A path below a directory that this user may not pass; root, whom no mode stops, is somebody else meanwhile."""
    door = tmp_path / "door"
    door.mkdir(mode=0o000)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield str(door / "inside")
    if is_root:
        os.seteuid(0)
    door.chmod(0o700)


@pytest.mark.parametrize("check", CHECKS)
def test_a_path_behind_a_closed_door_is_a_complaint(closed_door: str, check: Check) -> None:
    """Not a crash: the operator learns which path it was."""
    with pytest.raises(ValueError, match="inside' cannot be looked at: permission denied"):
        check(closed_door, "/")


@pytest.mark.parametrize("check", CHECKS)
def test_a_path_that_is_too_long_is_a_complaint(check: Check) -> None:
    """The kernel's words are passed on."""
    with pytest.raises(ValueError, match="file name too long"):
        check("/" + "a" * 5000, "/")


def test_labels_of_well_formed_blocks_are_found() -> None:
    """In order, with text between them, as certificate files have it."""
    assert pem_labels(f"Subject: x\n{CERTIFICATE}\n{KEY}") == ["CERTIFICATE", "PRIVATE KEY"]
    assert pem_labels(CERTIFICATE.replace("AAAA", "A?A")) == []
    assert pem_labels(CERTIFICATE.replace("END CERT", "END DERT")) == []


@given(st.text(alphabet=st.sampled_from("-BEGIN ENDCRTAKY\n="), max_size=200))
def test_any_text_has_labels_or_none(text: str) -> None:
    """No input makes the reader fail."""
    assert isinstance(pem_labels(text), list)
