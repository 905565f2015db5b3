"""Customers' own domains when things go wrong: a domain that does not come, a restart, a flood; and a function that is asked."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.acme_site import ISSUED, wait_issued
from tests.blackbox.asking import ask, ask_plain, wait_until
from tests.blackbox.customers import CustomersApp, customers_edge
from tests.pebble.server import Pebble

SHOP, STRANGER = "shop.test", "stranger.test"


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble() as running:
        yield running


@pytest.fixture
def app() -> Iterator[CustomersApp]:
    with CustomersApp(SHOP) as running:
        yield running


def test_a_failure_is_explained_to_the_owner_of_the_domain(tmp_path: Path, pebble: Pebble, app: CustomersApp) -> None:
    """While the CA does not find us under the name the page has its words, escaped, and handshakes end at once."""
    lost = "lost.test"
    app.welcome.add(lost)
    pebble.dns("add-a", host=lost, addresses=["127.0.0.9"])
    edge = customers_edge(tmp_path, pebble, app).start()
    wait_issued(edge)
    assert ask_plain(edge.http_port, lost).status == 503
    edge.wait_for("certificate attempt failed")
    page = ask_plain(edge.http_port, lost)
    assert page.status == 503
    assert "could not reach this server" in page.body.decode()
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask(edge.https_port, lost)
    assert edge.stop() == 0


def test_a_restart_asks_nobody(tmp_path: Path, pebble: Pebble, app: CustomersApp) -> None:
    """What was obtained is served from disk, also when the application has gone; a keeper that died is no matter either."""
    with customers_edge(tmp_path, pebble, app) as edge:
        wait_issued(edge)
        ask(edge.https_port, SHOP, root=pebble.root())
    app.asked.clear()
    app.welcome.clear()
    app.status = 500
    with customers_edge(tmp_path, pebble, app) as edge:
        assert ask(edge.https_port, SHOP, root=pebble.root()).status == 200
        assert not app.asked
        keeper = edge.keeper()
        os.kill(keeper, signal.SIGKILL)
        for _ in range(4):
            assert ask(edge.https_port, SHOP, root=pebble.root()).status == 200
        wait_until(lambda: edge.keeper() not in (0, keeper))
        assert not app.asked
        assert ISSUED not in edge.output


def test_a_flood_of_names_is_refused_within_the_budget(tmp_path: Path, pebble: Pebble, app: CustomersApp) -> None:
    """Thousands of names, a few questions; meanwhile the names that are known are served."""
    with customers_edge(tmp_path, pebble, app, "asks_per_minute = 15", workers=1) as edge:
        wait_issued(edge)
        ask(edge.https_port, SHOP, root=pebble.root())
        before = edge.memory()
        for number in range(400):
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                ask(edge.https_port, f"flood{number}.test")
            if not number % 50:
                assert ask(edge.https_port, SHOP, root=pebble.root()).status == 200
        assert sum(app.asked.values()) <= 16
        assert edge.memory() - before < 8 * 1024 * 1024


def test_a_function_is_asked_in_a_process_of_its_own(tmp_path: Path, pebble: Pebble, app: CustomersApp) -> None:
    """It is found in `python_path`, its prints do no harm, and what it raises the operator reads."""
    (tmp_path / "domains.py").write_text(
        "import os\n"
        "def allowed(name):\n"
        "    print('asked about', name)\n"
        "    if name == 'bad.test':\n"
        "        raise LookupError('no such table')\n"
        f"    return name == '{SHOP}' and os.getppid() > 1\n"
    )
    lines = (f'python_path = "{tmp_path}"',)
    with customers_edge(tmp_path, pebble, app, *lines, ask="domains:allowed") as edge:
        wait_issued(edge)
        assert ask(edge.https_port, SHOP, root=pebble.root()).status == 200
        for name in (STRANGER, "bad.test"):
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                ask(edge.https_port, name)
        assert "raised LookupError: no such table" in edge.output
        assert not app.asked
