"""Human sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.size import MAX_SIZE, format_size, parse_size
from tests.config.workspace import must_be_one_line


@pytest.mark.parametrize(
    ("written", "size"),
    [(1, 1), (1500, 1500), ("1500", 1500), ("512K", 524288), ("10M", 10485760), ("10m", 10485760), ("2 GiB", 2 * 1024**3),
     ("1MB", 1048576), (" 1G ", 1024**3)],
)  # fmt: skip
def test_sizes_are_bytes_or_have_a_unit(written: int | str, size: int) -> None:
    """Units are powers of 1024, as in other web servers."""
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written", [0, -1, "0", "", "M", "10X", "1.5M", "-1", "1e3", "10 M B", "٣M", "9" * 30, "9999T", 1024**6]
)
def test_what_is_no_size_is_refused(written: int | str) -> None:
    """Zero, fractions, signs, foreign digits and absurd amounts are complaints, not guesses."""
    with pytest.raises(ValueError, match=r"size"):
        parse_size(written)


@given(st.integers(1, MAX_SIZE))
def test_a_formatted_size_reads_back(size: int) -> None:
    """The short form is exact."""
    assert parse_size(format_size(size)) == size


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """There is no third outcome."""
    try:
        assert 0 < parse_size(text) <= MAX_SIZE
    except ValueError as error:
        must_be_one_line(str(error))
