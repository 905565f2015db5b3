"""Certificates that are replaced while visitors keep coming: nobody sees a gap, in no worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.blackbox.acme_site import acme_edge, served_certificate, wait_issued
from tests.blackbox.asking import open_descriptors, wait_until
from tests.blackbox.load import HandshakeLoad
from tests.pebble import Pebble

MINUTES = {"brief": 120}
"""So short that a poll for renewal advice is spread over a few seconds after a start, not over minutes."""

SECONDS = {"blink": 8}


def test_the_ca_can_call_for_a_renewal(tmp_path: Path) -> None:
    """A renewal window in the past (RFC 9773) replaces the certificate in all workers, without one failed handshake."""
    with Pebble(profiles=MINUTES) as pebble:
        with acme_edge(tmp_path, pebble, "--domain", "a.test") as edge:
            wait_issued(edge)
        state = next(edge.storage.glob("certs/a.test-*/state.json"))
        chain = next(edge.storage.glob("certs/a.test-*/current/fullchain.pem")).read_bytes()
        pebble.set_renewal_info(chain, _window_in_the_past())
        _plan_poll(state)
        edge = acme_edge(tmp_path, pebble, "--domain", "a.test")
        with edge, HandshakeLoad(pebble.tls_port, "a.test", root=pebble.root()) as load:
            before = served_certificate(edge.https_port, "a.test")
            wait_issued(edge)
            load.wait_answered(100)
            load.certificates.clear()
            load.wait_answered(100)  # so many handshakes meet every worker
            (now,) = load.certificates
            assert now == served_certificate(edge.https_port, "a.test").public_bytes(Encoding.DER)
            assert served_certificate(edge.https_port, "a.test") != before
            assert load.failures == []
        assert '"event":"renewal window"' in edge.output


def test_certificates_of_seconds_never_lapse(tmp_path: Path) -> None:
    """At half of its life, again and again, each certificate is followed by the next; the keeper keeps nothing of the old."""
    with Pebble(profiles=SECONDS) as pebble, acme_edge(tmp_path, pebble, "--domain", "b.test") as edge:
        wait_issued(edge, 2)
        with HandshakeLoad(edge.https_port, "b.test", root=pebble.root(), clients=2) as load:
            descriptors = _least_descriptors(edge.keeper())
            wait_issued(edge, 4)
            assert _least_descriptors(edge.keeper()) <= descriptors
        assert load.failures == []
        assert len(load.certificates) >= 2
        generations = list(edge.storage.glob("certs/b.test-*/gen/*"))
        assert len(generations) <= 3


def _window_in_the_past() -> str:
    now = datetime.now(UTC)
    start, end = (f"{now - timedelta(seconds=ago):%Y-%m-%dT%H:%M:%SZ}" for ago in (600, 300))
    return json.dumps({"suggestedWindow": {"start": start, "end": end}})


def _plan_poll(state: Path) -> None:
    """As if the CA's Retry-After for its advice, six hours, had passed."""
    memory = json.loads(state.read_text())
    state.write_text(json.dumps({**memory, "next_poll": 0.0, "window": None}))


def _least_descriptors(pid: int) -> int:
    """Between two orders: an order has connections and files open."""
    counts: list[int] = []

    def seen_often() -> bool:
        counts.append(len(open_descriptors(pid)))
        return len(counts) >= 100

    wait_until(seen_often)
    return min(counts)
