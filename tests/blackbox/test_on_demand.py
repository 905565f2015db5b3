"""Customers' own domains: a certificate when the first visitor comes, for those who are welcome and for nobody else."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator

import pytest

from tests.blackbox.acme_site import ISSUED, wait_issued
from tests.blackbox.asking import Answer, ask, ask_on, ask_plain, connect_tls, wait_until
from tests.blackbox.customers import CustomersApp, customers_edge
from tests.blackbox.edge_process import EdgeProcess
from tests.pebble.server import Pebble

SHOP, NEXT, THIRD, STRANGER = "shop.test", "www.next.test", "third.test", "stranger.test"


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble() as running:
        yield running


@pytest.fixture(scope="module")
def shared_app() -> Iterator[CustomersApp]:
    with CustomersApp(SHOP, NEXT, THIRD) as running:
        yield running


@pytest.fixture
def app(shared_app: CustomersApp) -> CustomersApp:
    """It has not been asked anything yet, and its customers are there."""
    shared_app.asked.clear()
    shared_app.welcome = {SHOP, NEXT, THIRD}
    shared_app.status = 404
    return shared_app


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, pebble: Pebble, shared_app: CustomersApp) -> Iterator[EdgeProcess]:
    process = customers_edge(tmp_path_factory.mktemp("edge"), pebble, shared_app).start()
    wait_issued(process)
    yield process
    assert process.stop() == 0, process.output
    assert "Traceback" not in process.output, process.output


def orders(edge: EdgeProcess, name: str) -> int:
    """Certificates that were issued for a name."""
    return sum(ISSUED in line and f'"{name}"' in line for line in edge.output.splitlines())


def test_the_first_visitor_gets_a_certificate(edge: EdgeProcess, pebble: Pebble, app: CustomersApp) -> None:
    """The very first handshake waits for it and is good; nobody is asked again, and the application sees the domain."""
    answer = ask(edge.https_port, SHOP, root=pebble.root())
    assert (answer.status, answer.body) == (200, f"shop at {SHOP}:{edge.https_port}".encode())
    for _ in range(10):
        ask(edge.https_port, SHOP, root=pebble.root())
    assert app.asked[SHOP] == 1
    assert orders(edge, SHOP) == 1


def test_many_visitors_at_once_are_one_question_and_one_order(
    edge: EdgeProcess, pebble: Pebble, app: CustomersApp
) -> None:
    """Both workers have visitors waiting; all of them are served when the one certificate is there."""
    answers: list[Answer] = []
    root = pebble.root()
    threads = [
        threading.Thread(target=lambda: answers.append(ask(edge.https_port, NEXT, root=root))) for _ in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 24
    assert len({answer.leaf for answer in answers}) == 1
    assert (app.asked[NEXT], orders(edge, NEXT)) == (1, 1)


def test_a_stranger_is_refused(edge: EdgeProcess, app: CustomersApp) -> None:
    """unrecognized_name on 443 and 421 on 80, one question for all of it, and no order."""
    for _ in range(5):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            ask(edge.https_port, STRANGER)
        assert ask_plain(edge.http_port, STRANGER).status == 421
    assert app.asked[STRANGER] == 1
    assert STRANGER not in edge.output


def test_nobody_is_asked_about_impossible_names(edge: EdgeProcess, app: CustomersApp) -> None:
    """Top-level names, bad spelling, and what enumerators of subdomains invent."""
    for name in ("test", "a.b.c.shop.test", "www.www.shop.test", "_dmarc.shop.test", "-a.shop.test", "shop.test.9"):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            ask(edge.https_port, name)
    assert not app.asked


def test_an_application_that_is_down_refuses_nobody_for_long(edge: EdgeProcess, app: CustomersApp) -> None:
    """An answer that is neither yes nor no is asked again, and the operator reads it once."""
    app.status = 500
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask(edge.https_port, "new.test")
    assert app.asked["new.test"] == 3
    wait_until(lambda: "nobody says which names are welcome" in edge.output)
    assert "answered 500" in edge.output


def test_a_host_is_served_only_with_its_own_certificate(edge: EdgeProcess, pebble: Pebble) -> None:
    """A connection for one customer cannot be used to ask for a domain that nobody has allowed."""
    ask(edge.https_port, SHOP, root=pebble.root())
    with connect_tls(edge.https_port, SHOP, pebble.root()) as sock:
        assert ask_on(sock, STRANGER, edge.https_port, "/").status == 421


def test_port_80_says_how_far_things_are(edge: EdgeProcess, pebble: Pebble, app: CustomersApp) -> None:
    """503 with Retry-After and a page instead of a redirection to nowhere; with the certificate the usual redirection."""
    first = ask_plain(edge.http_port, THIRD)
    assert first.status == 503
    assert int(first.fields["retry-after"]) > 0
    assert f"{THIRD} is being set up" in first.body.decode()
    wait_until(lambda: ask_plain(edge.http_port, THIRD).status == 308, 20)
    assert ask_plain(edge.http_port, THIRD, "/x?y").fields["location"] == f"https://{THIRD}:{edge.https_port}/x?y"
    assert ask(edge.https_port, THIRD, root=pebble.root()).status == 200
    assert ask_plain(edge.http_port, "service.test").status == 308
