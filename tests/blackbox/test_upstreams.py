"""The table of `docs/reference/upstreams.md`: every cell is measured on a real server behind a real edge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blackbox.upstreams import checks  # noqa: F401  # fills the matrix
from tests.blackbox.upstreams.matrix import FEATURES
from tests.blackbox.upstreams.servers import SERVERS
from tests.blackbox.upstreams.site import Site, sites


@pytest.fixture(scope="module")
def all_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    with sites(tmp_path_factory.mktemp("upstreams")) as running:
        yield running


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_cell_says_what_is_measured(all_sites: dict[str, Site], feature: str, server: str) -> None:
    """The words in the table are those that the check comes back with."""
    row = FEATURES[feature]
    assert row.check(all_sites[server]) == row.expected(server)
