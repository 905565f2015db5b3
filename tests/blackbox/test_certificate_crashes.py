"""The power goes at any step of an order, the CA is away or has lost its memory: a valid certificate comes out all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.acme_site import ISSUED, acme_edge, edge_certs, served_certificate, wait_issued
from tests.blackbox.asking import ask, wait_until
from tests.blackbox.edge_process import EdgeProcess
from tests.pebble import Pebble

PHASES = ["order", "challenge", "finalize"]


@pytest.fixture(scope="module")
def pebble() -> Iterator[Pebble]:
    with Pebble(nonce_reject=0) as running:  # so that requests can be counted
        yield running


def kill_all(edge: EdgeProcess) -> None:
    """As if the machine had lost its power."""
    os.killpg(edge.process.pid, signal.SIGKILL)
    assert edge.stop() == -signal.SIGKILL


def is_good(edge: EdgeProcess, name: str, pebble: Pebble) -> bool:
    """Whether a visitor gets a certificate of the CA's."""
    try:
        served_certificate(edge.https_port, name, pebble.root())
    except OSError:
        return False
    return True


@pytest.mark.parametrize("phase", PHASES)
def test_a_crash_at_any_step_is_made_good(tmp_path: Path, pebble: Pebble, phase: str) -> None:
    """What was begun is resumed: the next start ends with a valid certificate and orders at most once more."""
    name = f"{phase}.test"
    orders = pebble.requests("/order-plz")
    crashed = acme_edge(tmp_path, pebble, "--domain", name, workers=1).start()
    crashed.wait_for(f'"phase":"{phase}"')
    kill_all(crashed)
    with acme_edge(tmp_path, pebble, "--domain", name, workers=1) as edge:
        edge.wait_until(lambda: is_good(edge, name, pebble))  # perhaps from disk: the last crash may have come too late
        assert '"level":"error"' not in edge.output
    assert pebble.requests("/order-plz") - orders <= (1 if phase == "finalize" else 2)
    assert not list(edge.storage.glob("certs/*/pending/*"))


def test_a_keeper_killed_during_an_order_resumes_it(tmp_path: Path, pebble: Pebble) -> None:
    """Serving goes on with the placeholder, and the next keeper finishes what the first has begun."""
    orders = pebble.requests("/order-plz")
    with acme_edge(tmp_path, pebble, "--domain", "keeper.test") as edge:
        edge.wait_for('"phase":"challenge"')
        os.kill(edge.keeper(), signal.SIGKILL)
        wait_issued(edge)
        served_certificate(edge.https_port, "keeper.test", pebble.root())
    assert pebble.requests("/order-plz") - orders <= 2


def test_a_worker_killed_during_a_challenge_spoils_nothing(tmp_path: Path, pebble: Pebble) -> None:
    """Every worker, one that has just been born as well, gives the answer."""
    with acme_edge(tmp_path, pebble, "--domain", "worker.test") as edge:
        edge.wait_for('"phase":"challenge"')
        os.kill(edge.workers()[0], signal.SIGKILL)
        wait_issued(edge)
        assert '"certificate attempt failed"' not in edge.output


def test_a_ca_that_comes_back_without_memory_is_asked_again(tmp_path: Path) -> None:
    """While it is away edge serves and says what it waits for; its accounts lost, the account is registered again."""
    config = tmp_path / "edge.toml"
    config.write_text('[[site]]\nnames = ["first.test"]\n')
    with Pebble() as pebble:
        edge = acme_edge(tmp_path, pebble, "--config", str(config))
        edge.start().wait_ready("first.test")
        wait_issued(edge)
        with pebble.down():
            config.write_text('[[site]]\nnames = ["first.test", "second.test"]\n')
            edge.process.send_signal(signal.SIGHUP)
            edge.wait_for('"certificate attempt failed"')
            assert ask(edge.https_port, "first.test").status == 404
            wait_until(lambda: ask_is_answered(edge, "second.test"))
            waiting = next(each for each in edge_certs(edge.storage) if each["names"] == ["second.test"])
            assert (waiting["state"], waiting["failures"]) == ("missing", 1)
            assert waiting["last_error"]
            assert 30 < waiting["next_attempt"] - (tmp_path / "edge.toml").stat().st_mtime < 100
        config.write_text('[[site]]\nnames = ["first.test", "second.test"]\nmax_body = "1M"\n')
        edge.process.send_signal(signal.SIGHUP)  # the operator's change may be the remedy: no pause
        edge.wait_until(lambda: edge.output.count(ISSUED) >= 2)
        served_certificate(edge.https_port, "second.test", pebble.root())
        assert "account registered again" in edge.output
        assert edge.stop() == 0
    assert "Traceback" not in edge.output


def ask_is_answered(edge: EdgeProcess, name: str) -> bool:
    try:
        return ask(edge.https_port, name).status == 404
    except OSError:
        return False
