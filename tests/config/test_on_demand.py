"""`[on_demand]` and `on_demand = true`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edge.config.address import UpstreamAddress
from edge.config.describe import describe
from edge.config.on_demand_schema import AskCallable, AskURL, OnDemand
from tests.config.workspace import complaints_about, load_text

SITE = '[[site]]\nnames = "service.test"\nupstream = "127.0.0.1:8000"\non_demand = true\n'


def settings(tmp_path: Path, lines: str, site: str = SITE) -> OnDemand:
    config = load_text(tmp_path, f"[on_demand]\n{lines}\n{site}")
    assert config.on_demand is not None
    assert config.sites[0].on_demand
    return config.on_demand


@pytest.mark.parametrize(
    ("ask", "parsed"),
    [
        ("http://127.0.0.1:8000/ask", AskURL(UpstreamAddress("127.0.0.1", 8000), "127.0.0.1:8000", "/ask?domain=")),
        ("http://app.internal", AskURL(UpstreamAddress("app.internal", 80), "app.internal", "/?domain=")),
        ("https://x.test/a?k=v", AskURL(UpstreamAddress("x.test", 443, tls=True), "x.test", "/a?k=v&domain=")),
        ("http://[::1]:9/a", AskURL(UpstreamAddress("::1", 9), "[::1]:9", "/a?domain=")),
        ("/edge/ask", AskURL(UpstreamAddress("127.0.0.1", 8000), "service.test", "/edge/ask?domain=")),
        ("shop.domains:allowed", AskCallable("shop.domains", "allowed")),
    ],
)  # fmt: skip
def test_who_is_asked(tmp_path: Path, ask: str, parsed: object) -> None:
    """A URL, a path of the site's application, or a function."""
    assert settings(tmp_path, f'ask = "{ask}"').ask == parsed


def test_the_words_for_people_name_who_is_asked(tmp_path: Path) -> None:
    """`edge check` shows it."""
    config = load_text(tmp_path, f'[on_demand]\nask = "http://127.0.0.1:8000/ask?k=v"\n{SITE}')
    assert any("names that http://127.0.0.1:8000/ask?k=v allows" in line for line in describe(config))


def test_every_number_can_be_set(tmp_path: Path) -> None:
    """Durations are written as everywhere."""
    lines = 'ask = "/ask"\nremember_yes = "2h"\nremember_no = "30s"\nasks_per_minute = 9\norders_per_hour = 8\n'
    found = settings(tmp_path, f"{lines}orders_per_domain = 7\ndepth = 0")
    assert (found.remember_yes, found.remember_no, found.asks_per_minute) == (7200, 30, 9)
    assert (found.orders_per_hour, found.orders_per_domain, found.depth) == (8, 7, 0)


def test_a_function_is_found_in_a_directory(tmp_path: Path) -> None:
    """Relative to the file."""
    (tmp_path / "app").mkdir()
    found = settings(tmp_path, 'ask = "domains:allowed"\npython_path = "app"')
    assert found.ask == AskCallable("domains", "allowed", str(tmp_path / "app"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"[on_demand]\n{SITE}", "edge.toml:1: on_demand: nobody is asked which names are welcome"),
        ('[on_demand]\nask = "/ask"\n[[site]]\nnames = "a.test"\n', "edge.toml:1: on_demand: no site serves names on demand"),
        (SITE, "edge.toml:4: on_demand of [[site]] 1: nobody says which names are welcome"),
        (f'[on_demand]\nask = "/ask"\n{SITE}{SITE.replace("service", "other")}', "another site serves names on demand already"),
        (f'[on_demand]\nask = "ftp://x/"\n{SITE}', "edge.toml:2: on_demand.ask: 'ftp://x/': write a URL"),
        (f'[on_demand]\nask = "/a b"\n{SITE}', "a path has printable ASCII characters"),
        (f'[on_demand]\nask = "http://u:p@x/"\n{SITE}', "write a URL, a path"),
        (f'[on_demand]\nask = "/ask"\ndepth = 11\n{SITE}', "11: depth is a whole number from 0 to 10"),
        (f'[on_demand]\nask = "/ask"\nremember_no = "0s"\n{SITE}', "a duration lies between"),
        (f'[on_demand]\nask = "/ask"\n{SITE.replace("upstream", "#")}', "the site has no upstream that could be asked"),
        (f'[on_demand]\nask = "m:f"\npython_path = "nowhere"\n{SITE}', "python_path"),
        (f'[on_demand]\naks = "/ask"\n{SITE}', "edge.toml:2: on_demand.aks: unknown key; did you mean 'ask'?"),
        ("on_demand = true\n", "edge.toml:1: on_demand: write a table: [on_demand]"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tmp_path: Path, text: str, complaint: str) -> None:
    """Where, what, and what to write instead."""
    assert any(complaint in each for each in complaints_about(tmp_path, text)), complaints_about(tmp_path, text)


def test_a_missing_package_is_a_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of public suffixes is not guessed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    text = f'[on_demand]\nask = "/ask"\n{SITE}'
    assert any("pip install 'edge[on-demand]'" in each for each in complaints_about(tmp_path, text))
