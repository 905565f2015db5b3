"""Several origins behind one site: who gets what, and what a visitor notices when one of them dies."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.blackbox.asking import connect_tls, read_answer
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.gunicorn_process import GunicornProcess
from tests.blackbox.load import Http2Load, KeepAliveLoad
from tests.blackbox.recording_origin import RecordingOrigin
from tests.blackbox.slow_origin import SlowOrigin

COUNT = 3


@contextmanager
def site(
    tmp_path: Path, *lines: str, weights: tuple[int, ...] = (1,) * COUNT
) -> Iterator[tuple[EdgeProcess, list[RecordingOrigin]]]:
    """One worker, so that turns are exact, before an origin per weight; each origin answers with its number."""
    with ExitStack() as stack:
        answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(len(weights))]
        origins = [stack.enter_context(RecordingOrigin(answer)) for answer in answers]
        upstream = [f"127.0.0.1:{origin.port} weight={weight}" for origin, weight in zip(origins, weights, strict=True)]
        file = tmp_path / "edge.toml"
        file.write_text("\n".join(["[[site]]", f"upstream = {upstream}", *lines]))
        yield stack.enter_context(EdgeProcess(tmp_path, "--config", str(file), workers=1)), origins


def ask(edge: EdgeProcess, *fields: str) -> tuple[str, dict[str, str]]:
    """Who answered, and with which fields."""
    head = "\r\n".join(["GET / HTTP/1.1", "Host: localhost", *fields])
    with connect_tls(edge.https_port, "localhost") as sock:
        sock.sendall(f"{head}\r\n\r\n".encode())
        answer = read_answer(sock)
    assert answer.status == 200
    return answer.body.decode(), answer.fields


def test_weights(tmp_path: Path) -> None:
    """Round robin by default, evenly spread."""
    with site(tmp_path, weights=(2, 1, 1)) as (edge, origins):
        for _ in range(40):
            ask(edge)
        assert [len(origin.requests) for origin in origins] == [20, 10, 10]


def test_least_connections(tmp_path: Path) -> None:
    """With nothing to do for anybody it is a fair turn."""
    with site(tmp_path, "balance = 'least_connections'") as (edge, origins):
        for _ in range(30):
            ask(edge)
        assert [len(origin.requests) for origin in origins] == [10, 10, 10]


def test_a_header_finds_its_origin_and_keeps_it(tmp_path: Path) -> None:
    """When an origin leaves, only what it answered moves; the others' keys stay where they were."""
    with site(tmp_path, "balance = 'hash_header:X-Tenant'") as (edge, origins):
        tenants = [f"X-Tenant: {number}" for number in range(30)]
        before = {tenant: ask(edge, tenant)[0] for tenant in tenants}
        assert set(before.values()) == {"0", "1", "2"}
        assert {tenant: ask(edge, tenant)[0] for tenant in tenants} == before
        origins[1].close()
        after = {tenant: ask(edge, tenant)[0] for tenant in tenants}
        assert "1" not in after.values()
        assert {tenant for tenant in tenants if after[tenant] != before[tenant]} == {
            tenant for tenant in tenants if before[tenant] == "1"
        }


def test_a_client_finds_its_origin(tmp_path: Path) -> None:
    """One address, one origin."""
    with site(tmp_path, "balance = 'hash_client'") as (edge, _):
        assert len({ask(edge)[0] for _ in range(10)}) == 1


def test_a_cookie_sticks_until_its_origin_is_gone(tmp_path: Path) -> None:
    """The cookie is set once, is out of reach for scripts, and names another origin when its own is down."""
    with site(tmp_path, "balance = 'sticky_cookie'") as (edge, origins):
        ask(edge)
        who, fields = ask(edge)
        matched = re.fullmatch(
            r"(edge_origin=[0-9a-f]{16}); Path=/; HttpOnly; SameSite=Lax; Secure", fields["set-cookie"]
        )
        assert matched, fields["set-cookie"]
        cookie = f"Cookie: theme=dark; {matched[1]}"
        for _ in range(6):
            answer, fields = ask(edge, cookie)
            assert answer == who
            assert "set-cookie" not in fields
        origins[int(who)].close()
        other, fields = ask(edge, cookie)
        assert other != who
        moved = "Cookie: " + fields["set-cookie"].partition(";")[0]
        assert {ask(edge, moved)[0] for _ in range(6)} == {other}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_dead_origin_costs_no_idempotent_request(tmp_path: Path, how: str) -> None:
    """One of two application servers goes away under load, in order or by SIGKILL: the other one answers."""
    application = "tests.handlers.wsgi_app:application"
    flags = ("--worker-class", "gthread", "--threads", "4")
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(GunicornProcess(application, f"unix:{tmp_path}/{name}.sock", tmp_path, *flags))
            for name in "ab"
        )
        file = tmp_path / "edge.toml"
        file.write_text(f"[[site]]\nupstream = ['{first.bind}', '{second.bind}']\n")
        edge = stack.enter_context(EdgeProcess(tmp_path, "--config", str(file)))
        http1 = stack.enter_context(KeepAliveLoad(edge.https_port, "localhost"))
        http2 = stack.enter_context(Http2Load(edge.https_port, "localhost"))
        http1.wait_answered(30)
        http2.wait_answered(30)
        first.kill() if how == "kill" else first.stop()
        http1.wait_answered(100)
        http2.wait_answered(100)
        assert (http1.failures, http2.failures) == ([], [])


def test_a_sick_origin_gets_nothing(tmp_path: Path) -> None:
    """Its health path fails; the others get its share until it is well again, and both is said."""
    with site(tmp_path, "health = '/up'") as (edge, origins):
        well, origins[0].answer = origins[0].answer, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
        edge.wait_for("upstream is unhealthy")
        origins[0].requests.clear()
        for _ in range(10):
            ask(edge)
        assert [request for request in origins[0].requests if request.startswith(b"GET / ")] == []
        origins[0].answer = well
        edge.wait_for("upstream is healthy again")
        assert "0" in {ask(edge)[0] for _ in range(6)}


def test_probes_look_like_visitors(tmp_path: Path) -> None:
    """A Host that is served and X-Forwarded-Proto: https; a 400 for the host is explained, and costs no origin its place."""
    with site(tmp_path, "health = '/up'", "names = ['a.localhost', 'localhost']") as (edge, origins):
        edge.wait_until(lambda: all(origin.requests for origin in origins))
        probe = origins[0].requests[0]
        assert probe.startswith(b"GET /up HTTP/1.1\r\n")
        assert b"\r\nhost: a.localhost\r\n" in probe.lower()
        assert b"\r\nx-forwarded-proto: https\r\n" in probe.lower()
        for origin in origins:
            origin.answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        edge.wait_for("ALLOWED_HOSTS")
        assert "unhealthy" not in edge.output


def test_an_origin_that_a_reload_removes_finishes_its_work(tmp_path: Path) -> None:
    """The old generation keeps its connections and its exchanges; the new one never asks the removed origin."""
    file = tmp_path / "edge.toml"
    with SlowOrigin() as old, RecordingOrigin() as new:
        file.write_text(f"[[site]]\nupstream = '127.0.0.1:{old.port}'\n")
        edge = EdgeProcess(tmp_path, "--config", str(file))
        with edge, connect_tls(edge.https_port, "localhost") as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            old.wait_request()
            file.write_text(f"[[site]]\nupstream = '127.0.0.1:{new.port}'\n")
            edge.process.send_signal(signal.SIGHUP)
            edge.wait_for('"serving","generation":2')
            assert ask(edge)[0] == "ok\n"
            old.answer()
            assert read_answer(sock).body == b"slow\n"
        assert len(new.requests) == 1
