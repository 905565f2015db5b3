"""An application that goes away and comes back: what visitors notice of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.blackbox.asking import Answer, ask, ask_plain
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess, free_port, reserved_port
from tests.blackbox.gunicorn_process import GunicornProcess
from tests.blackbox.load import Http2Load, KeepAliveLoad
from tests.blackbox.recording_origin import RecordingOrigin

APPLICATION = "tests.handlers.wsgi_app:application"


def edge_before(tmp_path: Path, upstream: str, *lines: str) -> EdgeProcess:
    file = tmp_path / "edge.toml"
    file.write_text("\n".join(["[[site]]", f"upstream = '{upstream}'", *lines]))
    return EdgeProcess(tmp_path, "--config", str(file))


class Asked(threading.Thread):
    """One question that somebody waits for."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.answer: Answer | None = None
        self.start()

    def run(self) -> None:
        self.answer = ask(self._port)

    @property
    def status(self) -> int:
        self.join(20)
        assert self.answer, "no answer"
        return self.answer.status


@pytest.mark.parametrize("kind", ["tcp-sync", "unix-sync", "unix-gthread"])
def test_a_restart_under_load_costs_nobody_a_request(tmp_path: Path, kind: str) -> None:
    """gunicorn is stopped and started again, twice, while visitors keep asking over HTTP/1.1 and HTTP/2."""
    place, _, worker = kind.partition("-")
    bind = f"127.0.0.1:{free_port()}" if place == "tcp" else f"unix:{tmp_path}/app.sock"
    flags = ("--worker-class", worker, "--workers", "2", "--threads", "4")
    with (
        GunicornProcess(APPLICATION, bind, tmp_path, *flags) as gunicorn,
        edge_before(tmp_path, bind) as edge,
        KeepAliveLoad(edge.https_port, "localhost") as http1,
        Http2Load(edge.https_port, "localhost") as http2,
    ):
        for _ in range(2):
            http1.wait_answered(30)
            http2.wait_answered(30)
            gunicorn.restart(pause=0.5)
        http1.wait_answered(30)
        http2.wait_answered(30)
        assert (http1.failures, http2.failures) == ([], [])
    assert '"held_seconds":' in edge.access_log.read_text()
    assert "requests are held" in edge.output


@contextmanager
def once_up(tmp_path: Path, port: int, *settings: str) -> Iterator[EdgeProcess]:
    """edge before an application that all its workers have found up, and that is down now."""
    with RecordingOrigin(port=port) as origin:
        edge = edge_before(tmp_path, f"127.0.0.1:{port}", *settings).start().wait_ready()
        edge.wait_until(lambda: origin.connections >= 2)
        assert ask(edge.https_port).status == 200
    try:
        yield edge
    finally:
        assert edge.stop() == 0, edge.output


def test_nobody_waits_longer_than_configured(tmp_path: Path) -> None:
    """Then 503 with Retry-After; a visitor who leaves earlier is no reason to ask the origin anything."""
    with once_up(tmp_path, free_port(), "hold_seconds = 1") as edge:
        began = time.monotonic()
        answer = ask(edge.https_port)
        assert answer.status == 503
        assert answer.fields["retry-after"] == "2"
        assert 1 <= time.monotonic() - began < 5


def test_hold_can_be_off(tmp_path: Path) -> None:
    """502 at once, as other proxies do."""
    with edge_before(tmp_path, f"127.0.0.1:{free_port()}", "hold_seconds = 0") as edge:
        assert ask(edge.https_port).status == 502


def test_held_requests_are_let_in(tmp_path: Path) -> None:
    """Those that came while the application was down are answered when it comes up, and only once each."""
    port = free_port()
    with once_up(tmp_path, port) as edge:
        asked = [Asked(edge.https_port) for _ in range(20)]
        edge.wait_for("requests are held")
        with RecordingOrigin(port=port) as back:
            assert [each.status for each in asked] == [200] * 20
            assert len(back.requests) == 20


def test_a_reload_does_not_lose_who_waits(tmp_path: Path) -> None:
    """The old generation keeps its visitors until the application is back."""
    port = free_port()
    with once_up(tmp_path, port) as edge:
        asked = [Asked(edge.https_port) for _ in range(5)]
        edge.wait_for("requests are held")
        edge.process.send_signal(signal.SIGHUP)
        edge.wait_for('"serving","generation":2')
        with RecordingOrigin(port=port):
            assert [each.status for each in asked] == [200] * 5


def test_who_waits_goes_where_a_reload_has_moved_the_application(tmp_path: Path) -> None:
    """The old address stays dead; the old workers are told the new one."""
    with reserved_port() as old, RecordingOrigin() as new, once_up(tmp_path, old) as edge:
        asked = [Asked(edge.https_port) for _ in range(5)]
        edge.wait_for("requests are held")
        assert new.requests == []
        file = tmp_path / "edge.toml"
        file.write_text(file.read_text().replace(str(old), str(new.port)))
        edge.process.send_signal(signal.SIGHUP)
        assert [each.status for each in asked] == [200] * 5
        assert len(new.requests) == 5


def test_who_waits_is_answered_before_the_old_workers_end(tmp_path: Path) -> None:
    """An application that has gone for good: 503 when the time to drain is over, not a broken connection."""
    with reserved_port() as port, once_up(tmp_path, port, "hold_seconds = 60", "[server]", "drain_seconds = 1") as edge:
        asked = Asked(edge.https_port)
        edge.wait_for("requests are held")
        edge.process.send_signal(signal.SIGHUP)
        assert asked.status == 503
        assert "retry-after" in asked.answer.fields if asked.answer else False


def maintenance(edge: EdgeProcess, *arguments: str) -> None:
    command = [sys.executable, "-m", "edge", "maintenance", *arguments, "--storage", str(edge.storage)]
    subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True)


def test_maintenance(tmp_path: Path) -> None:
    """On and off while edge runs; the health path goes on, plain HTTP still redirects, and restarted workers know."""
    page = tmp_path / "page.html"
    page.write_text("<h1>Back at noon</h1>")
    with RecordingOrigin() as origin, edge_before(tmp_path, f"127.0.0.1:{origin.port}", "health = '/up'") as edge:
        assert ask(edge.https_port).status == 200
        maintenance(edge, "on", "--page", str(page), "--retry-after", "600")
        edge.wait_until(lambda: ask(edge.https_port).status == 503)
        edge.wait_until(lambda: {ask(edge.https_port).status for _ in range(8)} == {503})
        answer = ask(edge.https_port)
        assert answer.body == b"<h1>Back at noon</h1>"
        assert answer.fields["retry-after"] == "600"
        assert ask(edge.https_port, target="/up").status == 200
        assert ask_plain(edge.http_port).status == 308
        edge.process.send_signal(signal.SIGHUP)
        edge.wait_for('"serving","generation":2')
        assert {ask(edge.https_port).status for _ in range(8)} == {503}
        maintenance(edge, "off")
        edge.wait_until(lambda: {ask(edge.https_port).status for _ in range(8)} == {200})


def test_edge_starts_with_the_maintenance_it_was_left_in(tmp_path: Path) -> None:
    """From the first request on; programs get JSON."""
    with RecordingOrigin() as origin:
        edge = edge_before(tmp_path, f"127.0.0.1:{origin.port}")
        edge.storage.mkdir(mode=0o700)
        maintenance(edge, "on")
        with edge:
            command = ["curl", "-sk", "-H", "Accept: application/json", f"https://localhost:{edge.https_port}/"]
            reply = subprocess.run(command, capture_output=True, check=True).stdout
            assert json.loads(reply)["reason"] == "maintenance"
            assert origin.requests == []
