"""How requests are spread, as an operator writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.address import parse_upstream
from edge.config.balancing import parse_health, parse_hold, parse_policy
from edge.config.schema import Balancing
from tests.config.workspace import complaints_about, load_text, must_be_one_line


def test_everything_at_once(tmp_path: Path) -> None:
    """Weights stand behind addresses."""
    config = load_text(
        tmp_path,
        """
        [[site]]
        upstream = ["127.0.0.1:8001", "127.0.0.1:8002 weight=3"]
        balance = "hash_header:X-Tenant"
        health = "/healthz?deep=1"
        hold_seconds = 2.5
        """,
    )
    (site,) = config.sites
    assert [address.weight for address in site.upstreams] == [1, 3]
    assert site.balancing == Balancing("hash_header", "x-tenant", "/healthz?deep=1", 2.5)


def test_nothing_written() -> None:
    """Turns, no probes, ten seconds."""
    assert Balancing() == Balancing("round_robin", "", "", 10.0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("balance = 'random'", "write round_robin, least_connections"),
        ("balance = 'hash_header'", "name a request header"),
        ("balance = 'hash_header:a b'", "name a request header"),
        ("balance = 'hash_header:a_b'", "name a request header"),
        ("balance = 'hash_client:x'", "takes nothing behind it"),
        ("health = 'healthz'", "write the path"),
        ("health = '/a b'", "write the path"),
        ("health = '/ä'", "write the path"),
        ("hold_seconds = -1", "seconds from 0 to 60"),
        ("hold_seconds = nan", "seconds from 0 to 60"),
        ("hold_seconds = '10s'", "write a number"),
    ],
)
def test_mistakes(tmp_path: Path, line: str, words: str) -> None:
    """Each is named with its place and the right form."""
    text = f"[[site]]\nupstream = ['127.0.0.1:1', '127.0.0.1:2']\n{line}\n"
    (complaint,) = complaints_about(tmp_path, text)
    assert complaint.startswith("edge.toml:3: ")
    assert words in complaint
    must_be_one_line(complaint)


def test_a_policy_needs_a_choice(tmp_path: Path) -> None:
    """Somebody who writes one has forgotten an upstream."""
    (complaint,) = complaints_about(tmp_path, "[[site]]\nupstream = '127.0.0.1:1'\nbalance = 'hash_client'\n")
    assert "nothing to balance" in complaint


@pytest.mark.parametrize(
    "text", ["8000 weight=0", "8000 weight=1000", "8000 weight=x", "8000 heavy", "8000 ", " weight=1"]
)
def test_weights_that_are_none(text: str) -> None:
    """One form, from 1 to 999."""
    with pytest.raises(ValueError, match=r"weight|write host:port"):
        parse_upstream(text)


def test_values() -> None:
    """What is accepted, in its canonical form."""
    assert parse_policy("sticky_cookie") == ("sticky_cookie", "")
    assert parse_policy("hash_header:X-A") == ("hash_header", "x-a")
    assert parse_health("/") == "/"
    assert parse_hold(0) == 0.0
    assert str(parse_upstream("unix:/run/a.sock weight=2")) == "unix:/run/a.sock"
