"""edge.toml: syntax, keys, types and line numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.given import Complaints, RawSettings
from edge.config.toml_file import MAX_FILE, read_file
from edge.config.toml_lines import locate_keys
from tests.config.workspace import complaints_about, write

GOLDEN = [
    ("[listn]\n", "edge.toml:1: listn: unknown table; did you mean 'listen'?"),
    (
        "domain = 'a.test'\n",
        "edge.toml:1: domain: unknown table; known are site, listen, acme, on_demand, cache, log, notify, metrics, server",
    ),
    ("\n[listen]\nhttps_prt = 1\n", "edge.toml:3: listen.https_prt: unknown key; did you mean 'https_port'?"),
    ("[listen]\nhttp_port = '80'\n", "edge.toml:2: listen.http_port: write a whole number, not text in quotes"),
    ("[listen]\nhttp_port = true\n", "edge.toml:2: listen.http_port: write a whole number, not true or false"),
    ("[log]\nformat = 'xml'\n", "edge.toml:2: log.format: write 'auto', 'text' or 'json'"),
    ("[server]\ndrain_seconds = 'x'\n", "edge.toml:2: server.drain_seconds: write a number, not text in quotes"),
    ("listen = 3\n", "edge.toml:1: listen: write a table: [listen]"),
    ("[site]\nnames = 'a.test'\n", "edge.toml:1: [[site]]: write each site as a table of its own: [[site]]"),
    ("[[site]]\nnames = ['a.test', 3]\n",
     "edge.toml:2: names of [[site]] 1: write text in quotes, not a whole number (item 2)"),
    ("[[site]]\nstatic = '/static'\n", "edge.toml:2: static of [[site]] 1: write a table, not text in quotes"),
    ("[[site]]\nname = 'a.test'\n", "edge.toml:2: name of [[site]] 1: unknown key; did you mean 'names'?"),
    ("x = \n", "edge.toml:1: not valid TOML: Invalid value (column 5)"),
    ("[a]\n[a]\n", "edge.toml:2: not valid TOML: Cannot declare ('a',) twice (column 3)"),
    ("x = '", "edge.toml: not valid TOML: Expected \"'\" (at the end)"),
    ("x = " + "[" * 5000, "edge.toml: not valid TOML: nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "complaint"), GOLDEN)
def test_a_complaint_names_file_line_key_and_remedy(tmp_path: Path, text: str, complaint: str) -> None:
    """An operator can go from the words to the line and knows what to write there."""
    assert complaints_about(tmp_path, text) == [complaint]


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    """Nobody has to start edge five times to find five mistakes."""
    text = "[listen]\nhttp_port = 'x'\nfoo = 1\n[acme]\nemail = 3\n[[site]]\nupstream = 'nonsense'\nmax_body = '1Q'\n"
    assert [each.split(": ")[0] for each in complaints_about(tmp_path, text)] == [
        "edge.toml:2", "edge.toml:3", "edge.toml:5", "edge.toml:7", "edge.toml:8",
    ]  # fmt: skip


def test_a_file_that_cannot_be_read_is_a_complaint_about_the_flag(tmp_path: Path) -> None:
    """Missing files, directories, other encodings and huge files are told apart."""
    (tmp_path / "latin.toml").write_bytes(b"[acme]\nemail = '\xe4'\n")
    (tmp_path / "huge.toml").write_bytes(b"#" * (MAX_FILE + 1))
    found = Complaints()
    for name in ("missing.toml", ".", "latin.toml", "huge.toml", "nul\0.toml"):
        assert read_file(str(tmp_path / name), found) == RawSettings()
    assert [each.replace(str(tmp_path), "") for each in found.sentences] == [
        "--config: '/missing.toml' cannot be read: no such file or directory",
        "--config: '' cannot be read: is a directory",
        "/latin.toml:2: not UTF-8 text; save the file as UTF-8",
        "--config: '/huge.toml' is larger than 8 MiB; this cannot be a configuration",
        "--config: '/nul\\x00.toml' is no file name",
    ]


def test_keys_are_located_in_every_kind_of_table() -> None:
    """Dotted keys, quoted keys, arrays of tables and their sub-tables have line numbers."""
    text = "a.b = 1\n[[site]]\nx = 1\n[site.static]\n\"/s.t\" = 'd'\n[[site]]\nx = 2\n[log]\n  access='-'\n"
    lines = locate_keys(text)
    assert lines["a", "b"] == 1
    assert lines["site", 0, "x"] == 3
    assert lines["site", 0, "static", "/s.t"] == 5
    assert lines["site", 1, "x"] == 7
    assert lines["log", "access"] == 9


@given(st.text(alphabet=st.sampled_from("[]{}=.\"'\n #abc1site_"), max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_settings_or_complaints(tmp_path: Path, text: str) -> None:
    """No text makes the reader fail in another way."""
    found = Complaints()
    raw = read_file(write(tmp_path, text), found)
    assert isinstance(raw, RawSettings)
    assert all(each.isprintable() for each in found.sentences)
