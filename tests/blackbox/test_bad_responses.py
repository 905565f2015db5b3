"""An origin that lies, dies or talks nonsense: the visitor is told, and nobody else is harmed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.blackbox.conftest import domains
from tests.blackbox.edge_process import EdgeProcess, reserved_port
from tests.blackbox.http2_visitor import HTTP2Visitor
from tests.blackbox.recording_origin import OK
from tests.blackbox.scripted_origin import Script, ScriptedOrigin, answer, answer_and_close, answer_and_reset
from tests.blackbox.visitor import Incomplete, Visitor, dial_tls
from tests.wire import http2_frames as wire

Ask = Callable[[EdgeProcess], int | str]

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


@pytest.fixture(scope="module")
def liar() -> Iterator[ScriptedOrigin]:
    with ScriptedOrigin(answer(OK)) as running:
        yield running


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory, liar: ScriptedOrigin, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    flags = [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{liar.port}", "--http2-engine", engine]
    with EdgeProcess(tmp_path_factory.mktemp(engine), *flags, workers=1) as running:
        yield running


def over_http1(edge: EdgeProcess, method: bytes = b"GET") -> int | str:
    """The status that an HTTP/1.1 visitor gets, or "cut" if the response is not whole."""
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(method + GET[3:])
        try:
            return visitor.read(method).status
        except Incomplete as error:
            assert str(error) != "timeout"  # noqa: PT017  a cut is expected, silence is not
            return "cut"


def over_http2(edge: EdgeProcess, method: bytes = b"GET") -> int | str:
    """The same over HTTP/2."""
    with HTTP2Visitor(edge.https_port) as visitor:
        visitor.send(wire.headers(1, [(b":method", method), *wire.GET[1:]]))
        outcome = visitor.wait(1)
        assert visitor.get(3, path=b"/") in (outcome, 200, 502, "reset")  # the connection lives
        return "cut" if outcome == "reset" else outcome


def head(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((first, *lines, b"", b""))


NONSENSE = {
    "two equal lengths": head(b"Content-Length: 2", b"Content-Length: 2") + b"ok",
    "two lengths": head(b"Content-Length: 2", b"Content-Length: 3") + b"ok!",
    "length list": head(b"Content-Length: 2, 2") + b"ok",
    "signed length": head(b"Content-Length: +2") + b"ok",
    "length no number": head(b"Content-Length: two") + b"ok",
    "length of 20 digits": head(b"Content-Length: 18446744073709551618") + b"ok",
    "length and coding": head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n",
    "coding and length": head(b"Transfer-Encoding: chunked", b"Content-Length: 2") + b"2\r\nok\r\n0\r\n\r\n",
    "unknown coding": head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "coding twice": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "CR in a value": head(b"X: a\rb", b"Content-Length: 2") + b"ok",
    "LF in a value": head(b"X: a\nSet-Cookie: evil=1", b"Content-Length: 2") + b"ok",
    "NUL in a value": head(b"X: a\0b", b"Content-Length: 2") + b"ok",
    "control in a value": head(b"X: a\x01b", b"Content-Length: 2") + b"ok",
    "space in a name": head(b"X Y: a", b"Content-Length: 2") + b"ok",
    "space before colon": head(b"Content-Length : 2") + b"ok",
    "no colon": head(b"nonsense", b"Content-Length: 2") + b"ok",
    "empty name": head(b": x", b"Content-Length: 2") + b"ok",
    "folded line": head(b"X: a", b" b", b"Content-Length: 2") + b"ok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "garbage": b"\x16\x03\x01\x02\x00 I am no web server\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "status of two digits": head(b"Content-Length: 2", first=b"HTTP/1.1 20 OK") + b"ok",
    "status of four digits": head(b"Content-Length: 2", first=b"HTTP/1.1 2000 OK") + b"ok",
    "status 099": head(b"Content-Length: 2", first=b"HTTP/1.1 099 OK") + b"ok",
    "status no number": head(b"Content-Length: 2", first=b"HTTP/1.1 abc OK") + b"ok",
    "switching protocols": head(b"Upgrade: x", b"Connection: upgrade", first=b"HTTP/1.1 101 S"),
    "1 MiB of head": head(*[b"X: " + b"y" * 1000] * 1000, b"Content-Length: 2") + b"ok",
    "1 MiB without an end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * (1 << 20),
    "flood of 1xx": head(first=b"HTTP/1.1 102 Processing") * 10_000 + OK,
}


@pytest.mark.parametrize("ask", [over_http1, over_http2])
def test_nonsense_is_a_bad_gateway(edge: EdgeProcess, liar: ScriptedOrigin, ask: Ask) -> None:
    """502 for what is no response; the connection to the origin is not used again (bar 23)."""
    found = {}
    for name, response in NONSENSE.items():
        liar.script = answer(response)
        found[name] = ask(edge)
    assert found == dict.fromkeys(NONSENSE, 502)
    liar.script = answer(OK)
    assert ask(edge) == 200


CUT: dict[str, Script] = {
    "short of its length": answer_and_close(head(b"Content-Length: 10") + b"hello"),
    "short of its length, in two": answer_and_close(head(b"Content-Length: 10"), b"hello"),
    "short of its length, reset": answer_and_reset(head(b"Content-Length: 10") + b"hello"),
    "chunks without an end": answer_and_close(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n"),
    "chunks cut in the middle": answer_and_close(head(b"Transfer-Encoding: chunked") + b"5\r\nhel"),
    "chunks without last CRLF": answer_and_close(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n"),
    "chunks then reset": answer_and_reset(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n"),
    "until close, but reset": answer_and_reset(head() + b"hello"),
    "broken chunk size": answer_and_close(head(b"Transfer-Encoding: chunked") + b"5\r\nhello\r\nx\r\n"),
    "chunk too long": answer_and_close(head(b"Transfer-Encoding: chunked") + b"5\r\nhello!\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("ask", [over_http1, over_http2])
@pytest.mark.parametrize("kind", CUT)
def test_half_a_response_is_never_a_whole_one(edge: EdgeProcess, liar: ScriptedOrigin, ask: Ask, kind: str) -> None:
    """The visitor sees that something is missing: 502, or an abort where the head had gone out (bar 18)."""
    liar.script = CUT[kind]
    assert ask(edge) in ("cut", 502)


@pytest.mark.parametrize("kind", CUT)
def test_an_old_client_sees_it_too(edge: EdgeProcess, liar: ScriptedOrigin, kind: str) -> None:
    """To HTTP/1.0 a body of unknown length ends with the connection: cutting it short means resetting that."""
    liar.script = CUT[kind]
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        try:
            assert visitor.read().status == 502 or visitor.was_cut
        except Incomplete as error:
            assert str(error) != "timeout"  # noqa: PT017  a cut is expected, silence is not


SURPLUS = {
    "body behind HEAD": (b"HEAD", head(b"Content-Length: 26") + b"HTTP/1.1 200 OK\r\nX: evil\r\n\r\n"),
    "body behind 204": (b"GET", head(first=b"HTTP/1.1 204 No Content") + b"HTTP/1.1 200 OK\r\nX: evil\r\n\r\n"),
    "body behind 304": (b"GET", head(first=b"HTTP/1.1 304 Not Modified") + b"HTTP/1.1 200 OK\r\nX: evil\r\n\r\n"),
    "more than the length": (b"GET", OK + b"HTTP/1.1 200 OK\r\nX: evil\r\nContent-Length: 0\r\n\r\n"),
    "more than the chunks": (
        b"GET",
        head(b"Transfer-Encoding: chunked") + b"0\r\n\r\nHTTP/1.1 200 OK\r\nX: evil\r\n\r\n",
    ),
}


@pytest.mark.parametrize("late", [False, True], ids=["at once", "a moment later"])
@pytest.mark.parametrize("kind", SURPLUS)
def test_surplus_bytes_answer_nobody(edge: EdgeProcess, liar: ScriptedOrigin, kind: str, late: bool) -> None:
    """What follows a complete response is thrown away with its connection: never is it somebody's response."""
    method, response = SURPLUS[kind]
    cut = response.rindex(b"HTTP/1.1")
    liar.script = answer(*((response[:cut], response[cut:]) if late else (response,)))
    with Visitor(dial_tls(edge.https_port)) as visitor:
        visitor.send(method + GET[3:])
        assert visitor.read(method).status in (200, 204, 304)
        time.sleep(0.02)  # what comes in the instant of the next request cannot be told from its answer
        for _ in range(3):
            liar.script = answer(OK)
            visitor.send(GET)
            response_after = visitor.read()
            assert response_after.status in (200, 502), response_after
            assert response_after.field(b"x") is None


def test_interim_responses(edge: EdgeProcess, liar: ScriptedOrigin) -> None:
    """103 reaches the visitor, 100 does not: edge has said it already or nobody waits for it."""
    hints = head(b"Link: </a.css>; rel=preload", b"X-Accel-Redirect: /secret", first=b"HTTP/1.1 103 Early Hints")
    liar.script = answer(head(first=b"HTTP/1.1 100 Continue"), hints, OK)
    with Visitor(dial_tls(edge.https_port)) as visitor:
        assert visitor.send(GET).read().interim == (103,)
    with HTTP2Visitor(edge.https_port) as visitor2:
        assert visitor2.get(1) == 200
        assert [fields[b":status"] for _, fields in visitor2.interim] == [b"103"]
        assert b"x-accel-redirect" not in visitor2.interim[0][1]
    liar.script = answer(OK)


def test_fields_of_the_origin_connection_stay_there(edge: EdgeProcess, liar: ScriptedOrigin) -> None:
    """Hop-by-hop fields, the origin's own name and internal paths do not reach visitors."""
    lines = (
        b"Connection: keep-alive, X-Hop", b"X-Hop: 1", b"Keep-Alive: timeout=5", b"Upgrade: h2c", b"Server: secret",
        b"X-Accel-Redirect: /secret", b"X-Sendfile: /secret", b"Status: 404", b"Proxy-Authenticate: x", b"Trailer: X",
        b"X-Request-ID: forged", b"X-Mine: kept", b"Content-Length: 3",
    )  # fmt: skip
    liar.script = answer(head(*lines) + b"ok\n")
    with Visitor(dial_tls(edge.https_port)) as visitor:
        response = visitor.send(GET).read()
    names = [name for name, _ in response.fields]
    assert response.field(b"x-mine") == b"kept"
    hidden = {b"connection", b"keep-alive", b"upgrade", b"x-accel-redirect", b"x-sendfile", b"status", b"x-hop"}
    assert not hidden & set(names), names
    assert b"secret" not in b"".join(value for _, value in response.fields)
    liar.script = answer(OK)


def test_a_response_until_close(edge: EdgeProcess, liar: ScriptedOrigin) -> None:
    """A body that only the end of the connection delimits is whole when that end is orderly."""
    liar.script = answer_and_close(head() + b"hello", b" world")
    with Visitor(dial_tls(edge.https_port)) as visitor:
        assert visitor.send(GET).read().body == b"hello world"
    liar.script = answer(OK)


def test_an_origin_that_refuses(tmp_path: Path, own_certificate: list[str]) -> None:
    """502 at once; when it comes up it is used within moments, also by a request that came just before."""
    with (
        reserved_port() as port,
        EdgeProcess(tmp_path, *domains(), *own_certificate, "--upstream", f"127.0.0.1:{port}", workers=1) as edge,
    ):
        assert over_http1(edge) == 502
        with ScriptedOrigin(answer(OK), port):
            assert over_http1(edge) == 200
        with Visitor(dial_tls(edge.https_port)) as visitor:
            visitor.send(GET)
            edge.wait_for("requests are held")
            with ScriptedOrigin(answer(OK), port):
                assert visitor.read().status == 200
