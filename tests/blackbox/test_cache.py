"""The response cache in front of a real gunicorn, and of an origin that counts."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.asking import Answer, ask, ask_on, connect_tls, read_answer, wait_until
from tests.blackbox.edge_process import EdgeProcess, free_port
from tests.blackbox.gunicorn_process import GunicornProcess
from tests.blackbox.http2_visitor import HTTP2Visitor, request
from tests.blackbox.scripted_origin import ScriptedOrigin
from tests.wire import http2_frames as wire

APPLICATION = "tests.blackbox.cache_app:application"

FRESH = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nhello\n"


class Site:
    """edge with a cache in front of gunicorn, and what gunicorn was asked."""

    def __init__(self, directory: Path, settings: str = "") -> None:
        self.log = directory / "requests.log"
        self.log.touch()
        self.kept = directory / "kept"
        port = free_port()
        flags = ("--worker-class", "gthread", "--threads", "8", "--env", f"CACHE_APP_LOG={self.log}")
        self.gunicorn = GunicornProcess(APPLICATION, f"127.0.0.1:{port}", directory, *flags)
        config = directory / "edge.toml"
        config.write_text(f'[[site]]\nupstream = "127.0.0.1:{port}"\ncache = true\nhold_seconds = 0\n{settings}')
        self.directory = directory
        self.flags = ("--config", str(config))
        self.edge = EdgeProcess(directory, *self.flags)

    def started_anew(self) -> EdgeProcess:
        """Another edge with the same configuration and at the same port, which is part of its pages' URLs."""
        port = self.edge.https_port
        self.edge = EdgeProcess(self.directory, *self.flags)
        self.edge.https_port = port
        return self.edge

    def disk(self) -> int:
        """Bytes of the files at this moment, while others are made and removed."""
        total = 0
        for path in self.kept.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def ask(self, target: str) -> Answer:
        return ask(self.edge.https_port, target=target)

    def asked(self, path: str) -> int:
        """How often gunicorn was asked for it."""
        return self.log.read_text().split().count(path)

    def purge(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "edge", "cache", "purge", *arguments, "--storage", str(self.edge.storage)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("cached"))
    with running.gunicorn, running.edge:
        yield running


def test_two_hundred_who_miss_at_once_are_one_request(tmp_path: Path, own_certificate: list[str]) -> None:
    """Over HTTP/1.1 and HTTP/2, in two workers; everybody gets the answer."""
    release, asked = threading.Event(), []

    def script(sock: object, head: bytes) -> bool:
        asked.append(head)
        release.wait(10)
        sock.sendall(FRESH)  # type: ignore[attr-defined]  # a socket
        return True

    with ScriptedOrigin(script) as origin:
        config = tmp_path / "edge.toml"
        config.write_text(f'[[site]]\nupstream = "127.0.0.1:{origin.port}"\ncache = true\n')
        with EdgeProcess(tmp_path, "--config", str(config), "--domain", "a.test", *own_certificate) as edge:
            socks = [connect_tls(edge.https_port, "a.test") for _ in range(100)]
            visitors = [HTTP2Visitor(edge.https_port) for _ in range(2)]
            streams = [1 + 2 * number for number in range(50)]
            for sock in socks:
                sock.sendall(b"GET /page HTTP/1.1\r\nHost: a.test\r\n\r\n")
            for visitor in visitors:
                visitor.send(*(wire.headers(stream, request(b"/page")) for stream in streams))
            release.set()
            for sock in socks:
                assert sock.recv(65536).endswith(b"hello\n")
                sock.close()
            for visitor in visitors:
                assert [visitor.wait(stream) for stream in streams] == [200] * 50
                assert visitor.body(streams[-1]) == b"hello\n"
                visitor.sock.close()
            used = {line.split('"cache":"')[1].split('"')[0] for line in _log_lines(edge, 200)}
    assert len(asked) == 1
    assert used >= {"miss", "collapsed"}


def _log_lines(edge: EdgeProcess, number: int) -> list[str]:
    wait_until(lambda: len(edge.access_log.read_text().splitlines()) >= number, what="the access log")
    return edge.access_log.read_text().splitlines()


def test_every_worker_has_what_one_has_fetched(site: Site) -> None:
    """Small, large, and chosen by a field."""
    for path, query in (
        ("/small", "cc=max-age=60"),
        ("/large", "cc=max-age=60&size=300000"),
        ("/vary", "cc=max-age=60&vary=Accept"),
    ):
        bodies = {site.ask(f"{path}?{query}").body for _ in range(20)}
        assert len(bodies) == 1
        assert site.asked(path) == 1
    answer = site.ask("/small?cc=max-age=60")
    assert answer.fields["cache-status"].startswith("edge; hit; ttl=")
    assert int(answer.fields["age"]) < 60


def test_what_is_not_marked_is_never_kept(site: Site) -> None:
    """The default of Django and Flask."""
    assert len({site.ask("/plain").body for _ in range(5)}) == 5
    assert len({site.ask("/private?cc=private,max-age=60").body for _ in range(5)}) == 5


def test_a_stale_page_is_renewed_by_a_304(site: Site) -> None:
    """gunicorn answers a condition, the visitor gets the page."""
    target = '/renewed?cc=max-age=1&etag="one"'
    first = site.ask(target)
    wait_until(
        lambda: "fwd-status=304" in (answer := site.ask(target)).fields["cache-status"] and answer.body == first.body
    )
    assert site.asked("/renewed") == 2


def test_stale_while_revalidate(site: Site) -> None:
    """No visitor waits for a slow page again once it is there."""
    target = "/swr?cc=max-age=1,stale-while-revalidate=60&sleep=0.3"
    first = site.ask(target)
    wait_until(lambda: "ttl=-" in site.ask(target).fields["cache-status"] or site.asked("/swr") > 1)
    wait_until(lambda: site.ask(target).body != first.body)
    seconds = [
        json.loads(line)["seconds"] for line in site.edge.access_log.read_text().splitlines() if '"/swr?' in line
    ]
    assert sum(each > 0.25 for each in seconds) == 1


def test_a_change_forgets_the_page_in_every_worker(site: Site) -> None:
    """A form posts to the page that it is on."""
    target = "/form?cc=max-age=60"
    first = {site.ask(target).body for _ in range(10)}
    with connect_tls(site.edge.https_port, "localhost") as sock:
        sock.sendall(
            f"POST {target} HTTP/1.1\r\nHost: localhost:{site.edge.https_port}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    second = {site.ask(target).body for _ in range(10)}
    assert len(first) == len(second) == 1
    assert first != second


def test_purge(site: Site) -> None:
    """When the command returns, every worker has followed; what does not fit stays."""
    for path in ("/p/1", "/p/2", "/q"):
        site.ask(f"{path}?cc=max-age=60")
    assert site.purge("/p/*") == "edge: purged\n"
    for _ in range(5):
        for path in ("/p/1", "/p/2", "/q"):
            site.ask(f"{path}?cc=max-age=60")
    assert [site.asked(path) for path in ("/p/1", "/p/2", "/q")] == [2, 2, 1]
    site.purge("--site", "localhost")
    site.ask("/q?cc=max-age=60")
    assert site.asked("/q") == 2


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-Host: evil.test",
        "X_Forwarded_Host: evil.test",
        "X-Forwarded-Proto: evil",
        "X-Forwarded-Prefix: /evil",
        "X-Original-URL: /evil",
        "X-Rewrite-URL: /evil",
        "Forwarded: host=evil.test",
        "X-HTTP-Method-Override: evil",
        "Range: bytes=0-1",
        "If-None-Match: evil",
    ],
)
def test_no_field_of_one_visitor_is_in_the_page_of_the_next(site: Site, field: str) -> None:
    """The application writes what it was told into a page that is kept."""
    target = f"/echo?cc=max-age=60&{field.partition(':')[0]}"
    with connect_tls(site.edge.https_port, "localhost") as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{site.edge.https_port}\r\n{field}\r\n\r\n".encode())
        read_answer(sock)
    answer = site.ask(target)
    assert answer.status == 200
    assert b"PATH_INFO: /echo" in answer.body
    assert b"evil" not in answer.body


def test_a_dead_application_is_covered_by_stale_if_error(tmp_path: Path) -> None:
    """For pages that allow it; others show the error."""
    site = Site(tmp_path)
    with site.gunicorn, site.edge:
        known, strict = "/known?cc=max-age=1,stale-if-error=600", "/strict?cc=max-age=1"
        body = site.ask(known).body
        site.ask(strict)
        site.gunicorn.kill()
        wait_until(lambda: site.ask(strict).status == 502)
        answer = site.ask(known)
        assert (answer.status, answer.body) == (200, body)
        assert '"cache":"stale"' in "".join(_log_lines(site.edge, 3)[-1:]) or site.ask(known).status == 200
        site.gunicorn.start()
        site.gunicorn.wait_up()
        assert site.ask(known).status == 200


def test_a_disk_keeps_pages_over_a_restart_and_damage_is_a_miss(tmp_path: Path) -> None:
    """Also a purge that was said while edge was down holds."""
    site = Site(tmp_path, '[cache]\ndisk = "kept"\ndisk_size = "10M"\n')
    targets = [f"/{name}?cc=max-age=600&size={size}" for name, size in (("a", 10), ("b", 200_000), ("c", 10))]
    with site.gunicorn:
        with site.edge:
            bodies = [site.ask(target).body for target in targets]
        assert "no running edge" in site.purge("/c?*")
        with site.started_anew():
            wait_until(lambda: site.ask(targets[0]).fields["cache-status"].startswith("edge; hit"))
            assert [site.ask(target).body for target in targets[:2]] == bodies[:2]
            assert site.ask(targets[2]).body != bodies[2]
            for path in site.kept.iterdir():
                os.truncate(path, path.stat().st_size // 2)
            for target in targets:
                assert site.ask(target).status == 200
            assert [site.asked(f"/{name}") for name in "abc"] == [2, 2, 3]


def test_the_disk_stays_within_its_bound(tmp_path: Path) -> None:
    """With two workers that both write."""
    site = Site(tmp_path, '[cache]\ndisk = "kept"\ndisk_size = "1M"\n')
    with site.gunicorn, site.edge:
        for number in range(60):
            assert len(site.ask(f"/{number}?cc=max-age=600&size=90000").body) > 90_000
            assert site.disk() <= 1024 * 1024


def test_a_killed_worker_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Whoever asked for all of them is gone; another one asks."""
    release = threading.Event()
    asked: list[bytes] = []

    def script(sock: object, head: bytes) -> bool:
        asked.append(head)
        if len(asked) == 1:
            release.wait(10)
            return False
        sock.sendall(FRESH)  # type: ignore[attr-defined]  # a socket
        return True

    with ScriptedOrigin(script) as origin:
        config = tmp_path / "edge.toml"
        config.write_text(f'[[site]]\nupstream = "127.0.0.1:{origin.port}"\ncache = true\n')
        with EdgeProcess(tmp_path, "--config", str(config)) as edge:
            first = connect_tls(edge.https_port, "localhost")
            first.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{edge.https_port}\r\n\r\n".encode())
            wait_until(lambda: len(asked) == 1)
            for pid in edge.workers():
                os.kill(pid, signal.SIGKILL)
            release.set()
            first.close()
            edge.wait_ready()
            with connect_tls(edge.https_port, "localhost") as sock:
                assert ask_on(sock, "localhost", edge.https_port, "/").body == b"hello\n"
