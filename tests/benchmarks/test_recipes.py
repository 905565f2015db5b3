"""Every server is told the same, in its own language."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.certificates import make_key_pair
from benchmarks.contenders import CONTENDERS
from benchmarks.servers.caddy import caddyfile
from benchmarks.servers.edge import edge_recipe, edge_toml
from benchmarks.servers.nginx import nginx_conf
from benchmarks.servers.origin import BODY, origin_conf
from benchmarks.servers.recipe import Assignment, KeyPair
from edge.config.flags import Flags
from edge.config.load import load

PAIRS = tuple(KeyPair((f"n{n}.example",), Path(f"/c/n{n}.pem"), Path(f"/c/n{n}.key")) for n in range(2))
ASSIGNMENT = Assignment(
    port=8443,
    key_pairs=PAIRS,
    mounts={"/static": Path("/srv/files"), "/more": Path("/srv/more")},
    origin="127.0.0.1:8000",
)


@pytest.mark.parametrize("write", [edge_toml, nginx_conf, caddyfile])
def test_every_configuration_names_all_of_the_assignment(write: Callable[[Assignment], str]) -> None:
    """Names, certificates, keys, mounts and origin are in it, and no braces are left open."""
    text = write(ASSIGNMENT)
    for words in ("n0.example", "n1.example", "/c/n0.pem", "/c/n1.key", "/srv/files", "/more", "127.0.0.1:8000"):
        assert words in text
    assert text.count("{") == text.count("}")


def test_nginx_gives_the_options_of_a_socket_once() -> None:
    """Many servers share one listening socket; nginx refuses its options a second time."""
    assert nginx_conf(ASSIGNMENT).count("backlog") == 1


def test_edge_accepts_its_configuration(tmp_path: Path) -> None:
    """The file is TOML that edge's own loader understands."""
    (tmp_path / "files").mkdir()
    pairs = tuple(make_key_pair(tmp_path, f"n{n}.example") for n in range(2))
    assignment = Assignment(port=1, key_pairs=pairs, mounts={"/static": tmp_path / "files"}, origin="127.0.0.1:8000")
    recipe = edge_recipe(assignment, tmp_path, "h2")
    assert [site["names"] for site in tomllib.loads(recipe.files["edge.toml"])["site"]] == [
        ["n0.example"],
        ["n1.example"],
    ]
    path = tmp_path / "edge.toml"
    path.write_text(recipe.files["edge.toml"])
    assert len(load(Flags(config=str(path), storage=str(tmp_path)), {}).sites) == 2
    assert recipe.argv[-2:] == ("--http2-engine", "h2")


def test_only_the_logging_contenders_log(tmp_path: Path) -> None:
    """A recipe with a log names a file; all others switch it off."""
    for name, contender in CONTENDERS.items():
        recipe = contender.recipe(ASSIGNMENT, tmp_path)
        words = " ".join((*recipe.argv, *recipe.files.values()))
        assert ("access.log" in words) == name.endswith("-log")


def test_the_origin_answers_one_kilobyte() -> None:
    """1,024 bytes from memory."""
    assert len(BODY) == 1024
    assert BODY in origin_conf(1, 2)
