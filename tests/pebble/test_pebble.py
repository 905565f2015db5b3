"""The harness itself: a missing or unusable Pebble is said aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pebble import Pebble, PebbleMissing, programs


def put_program(directory: Path, name: str) -> None:
    path = directory / name
    path.write_text("#!/bin/sh\nexit 7\n")
    path.chmod(0o755)


def test_a_missing_pebble_fails_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Pebble, no silence: the failure names the script that gets it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "FETCHED", tmp_path)
    with pytest.raises(PebbleMissing, match="run pebble/fetch"), Pebble():
        pass


def test_an_unusable_pebble_gives_way_to_the_fetched_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on the PATH that does not work is passed over; when it is the only one, the failure says what it did."""
    for name in ("pebble", "pebble-challtestsrv"):
        put_program(tmp_path, name)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with Pebble() as ca:
        assert ca.root().startswith(b"-----BEGIN CERTIFICATE-----")
    monkeypatch.setattr(programs, "FETCHED", tmp_path)
    with pytest.raises(PebbleMissing, match="ended at start"), Pebble():
        pass
