"""A request body kept until it can be sent."""

from __future__ import annotations

import contextlib
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import HTTPError
from edge.handlers.spool import Spool
from tests.upstream.origins import descriptors


def read_all(spool: Spool) -> bytes:
    spool.rewind()
    return b"".join(iter(spool.read_piece, b""))


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(0, 200))
def test_what_was_appended_is_read_as_often_as_wanted(pieces: list[bytes], memory: int) -> None:
    """In memory or in a file, any pieces."""
    spool = Spool(memory=memory)
    for piece in pieces:
        spool.append(piece)
    body = b"".join(pieces)
    assert spool.size == len(body)
    assert read_all(spool) == body
    assert read_all(spool) == body
    assert spool.read == len(body)
    spool.close()


def test_a_file_has_no_name_and_goes_with_the_spool(tmp_path: Path) -> None:
    """Nobody else can open it, and nothing is left after a crash."""
    before = descriptors()
    spool = Spool(str(tmp_path), memory=10)
    spool.append(b"x" * 11)
    assert descriptors() == before + 1
    assert list(tmp_path.iterdir()) == []
    spool.close()
    assert descriptors() == before


def test_a_disk_that_takes_nothing_is_503(tmp_path: Path) -> None:
    """The visitor is told to come back; the operator reads why in the log."""
    spool = Spool(str(tmp_path / "gone"), memory=10)
    with pytest.raises(HTTPError) as caught:
        spool.append(b"x" * 11)
    assert caught.value.status == 503
    assert caught.value.retry_after
    spool.close()


@contextlib.contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """The process may have so much of something."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def test_no_usable_directory_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system has no temporary directory that takes a file."""
    monkeypatch.setattr(tempfile, "tempdir", None)  # as in a process that has not needed one yet
    spool = Spool(memory=10)
    with limited(resource.RLIMIT_NOFILE, 3), pytest.raises(HTTPError) as caught:
        spool.append(b"x" * 11)
    assert caught.value.status == 503
    spool.close()


def test_a_write_that_only_half_fits_is_503(tmp_path: Path) -> None:
    """The kernel takes what fits and reports no error: a body must not lose its end that way."""
    spool = Spool(str(tmp_path), memory=10)
    spool.append(b"x" * 900_000)
    with limited(resource.RLIMIT_FSIZE, 1_000_000), pytest.raises(HTTPError) as caught:
        spool.append(b"y" * 200_000)
    assert caught.value.status == 503
    spool.close()
