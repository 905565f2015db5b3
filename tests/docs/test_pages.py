"""What pages say about each other and about the tree is true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY, anchors, code_spans, links, name_of

_IN_TREE = re.compile(r"(?:edge|tests|docs|examples|pebble|\.github)/[\w./-]+").fullmatch


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and its fragment a heading there."""
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        target, _, fragment = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{name_of(page)}: {link} leads nowhere"
        assert path.is_relative_to(REPOSITORY), f"{name_of(page)}: {link} leaves the repository"
        if fragment:
            assert fragment in anchors(path), f"{name_of(page)}: {link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_pages_speak_of_exist(page: Path) -> None:
    """A path of the source tree in a page's prose is there."""
    for span in code_spans(page):
        if _IN_TREE(span):
            assert (REPOSITORY / span).exists(), f"{name_of(page)}: there is no {span}"


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to every page below docs/."""
    index = REPOSITORY / "docs" / "README.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    missing = [name_of(page) for page in PAGES if page.is_relative_to(index.parent) and page != index]
    assert not [name for name in missing if REPOSITORY / name not in reached]


def test_the_page_of_limits_is_current() -> None:
    """docs/design/limits.md is what docs/generate_limits.py makes of edge/http/limits.py."""
    generator = runpy.run_path(str(REPOSITORY / "docs" / "generate_limits.py"))
    current = generator["PAGE"].read_text()
    assert current == generator["made_page"](), "run: python docs/generate_limits.py"


def test_the_page_of_application_servers_is_current() -> None:
    """docs/reference/upstreams.md is what docs/generate_upstreams.py makes of the matrix that is measured on real servers."""
    generator = runpy.run_path(str(REPOSITORY / "docs" / "generate_upstreams.py"))
    current = generator["PAGE"].read_text()
    assert current == generator["made_page"](), "run: python docs/generate_upstreams.py"


def test_every_room_is_in_the_layout() -> None:
    """README and overview list all rooms of edge/, in the order of the layers."""
    rooms = sorted(path.parent.name for path in (REPOSITORY / "edge").glob("*/__init__.py"))
    for page, pattern in (("README.md", r"^edge/(\w+)/ "), ("docs/design/overview.md", r"^\| `(\w+)` \|")):
        listed = re.findall(pattern, (REPOSITORY / page).read_text(), re.MULTILINE)
        assert sorted(set(listed) - {"errors"}) == rooms, page


def test_every_dependency_has_its_reason() -> None:
    """docs/design/decisions.md names each package that edge needs to run."""
    text = (REPOSITORY / "docs" / "design" / "decisions.md").read_text()
    project = (REPOSITORY / "pyproject.toml").read_text()
    runtime = project[project.index("dependencies = [") : project.index("dev = [")]
    for package in re.findall(r'"([a-z0-9-]+)[>=]', runtime):
        assert f"`{package}`" in text, f"{package} has no row"
