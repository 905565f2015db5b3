"""Ordinary pages from an application server that speaks HTTP/2 without TLS (hypercorn)."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.blackbox.edge_process import REPOSITORY, EdgeProcess, free_port


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    place = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "hypercorn", "tests.blackbox.page_app:application", "--bind", place]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", int(place.rpartition(":")[2]))):
            assert time.monotonic() < deadline, "hypercorn does not start"
            time.sleep(0.02)
    yield place
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def edge(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    with EdgeProcess(tmp_path_factory.mktemp("h2c"), "--upstream", f"h2c://{address}", workers=1) as process:
        yield process.wait_trusted()


def curl(edge: EdgeProcess, path: str, *flags: str, body: bytes = b"") -> bytes:
    url = f"https://localhost:{edge.https_port}{path}"
    command = ["curl", "-sS", "--fail", "--max-time", "20", "--cacert", str(edge.root), *flags, url]
    return subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_pages_forms_and_long_answers(edge: EdgeProcess, version: str) -> None:
    """Whatever the visitor speaks, the application sees HTTP/2, the visitor's host and scheme, and whole bodies."""
    seen = json.loads(curl(edge, "/", version))
    assert (seen["version"], seen["fields"]["x-forwarded-proto"]) == ("2", "https")
    assert seen["fields"]["host"] == f"localhost:{edge.https_port}"
    form = b"x" * 300_000
    assert json.loads(curl(edge, "/", version, "--data-binary", "@-", body=form))["body"] == len(form)
    chunked = ("-H", "Transfer-Encoding: chunked", "-H", "Expect:") if version == "--http1.1" else ()
    assert json.loads(curl(edge, "/", version, *chunked, "-T", "-", body=form))["body"] == len(form)
    assert curl(edge, "/long", version) == bytes(2_000_000)
    assert b"200" in curl(edge, "/", version, "--head")


def test_events_arrive(edge: EdgeProcess) -> None:
    """A stream of events passes."""
    assert curl(edge, "/events", "-N").count(b"data: ") == 3
