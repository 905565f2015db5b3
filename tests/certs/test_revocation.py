"""Revocation lists: which are believed, what they say, how they are fetched, and what follows."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from edge.certs import list_fetching
from edge.certs.chain import read_leaf
from edge.certs.list_fetching import fetch_list
from edge.certs.revocation_list import Source, read_list, source_of
from edge.errors import CertificateError
from tests.certs.fakes import FakeCA, issuing_point
from tests.certs.material import issue
from tests.certs.virtual_time import START, run
from tests.certs.world import DAY, HOUR, MINUTE, World
from tests.pebble.server import free_ports

URL = "http://crl.example/1.crl"


def new_ca(list_url: str = URL) -> FakeCA:
    return FakeCA(lambda: START, list_url=list_url)


def source_at(ca: FakeCA) -> tuple[Source, str]:
    """Where the list of a fresh certificate is, and the certificate's serial."""
    chain, _ = issue("a.test", ca=ca)
    source = source_of(chain)
    assert source is not None
    return source, read_leaf(chain).serial


# -- what a list says --------------------------------------------------------------------------------------------------


def test_a_list_tells_who_is_revoked() -> None:
    """Only those that were asked about, with the reason."""
    ca = new_ca()
    source, serial = source_at(ca)
    found = read_list(ca.revocation_list(serial, "abc"), source, [serial, "def"], START)
    assert found.revoked == {serial: "superseded"}
    assert found.next_update == START + 7 * DAY
    assert read_list(ca.revocation_list("abc"), source, [serial], START).revoked == {}


def test_lists_that_are_not_believed() -> None:
    """Another CA's, another shard's, one for CAs, an indirect one, stale ones, forged ones, no list at all."""
    ca, other = new_ca(), new_ca()
    source, serial = source_at(ca)

    def complaint(body: bytes) -> str:
        with pytest.raises(CertificateError) as caught:
            read_list(body, source, [serial], START)
        return str(caught.value)

    assert "signature" in complaint(other.revocation_list(serial))  # the same name, another key
    other.title = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Other")])
    assert "another CA's" in complaint(other.revocation_list(serial))
    assert "other certificates" in complaint(
        ca.revocation_list(serial, scope=issuing_point("http://crl.example/2.crl"))
    )
    assert "servers" in complaint(ca.revocation_list(serial, scope=issuing_point(URL, only_ca=True)))
    assert "servers" in complaint(ca.revocation_list(serial, scope=issuing_point(URL, indirect=True)))
    assert "out of date" in complaint(ca.revocation_list(serial, age=8 * DAY))
    assert "future" in complaint(ca.revocation_list(serial, age=-HOUR))
    assert "no readable" in complaint(b"<html>")


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 255))
def test_any_bytes_are_a_list_or_refused(junk: bytes, place: int, byte: int) -> None:
    """Garbage, and a good list with one byte changed, never raise anything else and never revoke."""
    body = bytearray(LIST)
    body[place % len(body)] = byte
    for hostile in (junk, bytes(body)):
        try:
            found = read_list(hostile, SOURCE, ["abc"], START)
        except CertificateError:
            continue
        assert found.revoked == {}


_CA = new_ca()
SOURCE, _ = source_at(_CA)
LIST = _CA.revocation_list("def")


def test_certificates_without_a_list() -> None:
    """No distribution point, one that is not HTTP, no issuer in the chain."""
    chain, _ = issue("a.test", ca=new_ca(""))
    assert source_of(chain) is None
    chain, _ = issue("a.test", ca=new_ca("ldap://crl.example/1"))
    assert source_of(chain) is None
    chain, _ = issue("a.test", ca=new_ca())
    end = b"-----END CERTIFICATE-----\n"
    assert source_of(chain.partition(end)[0] + end) is None


# -- what follows ------------------------------------------------------------------------------------------------------


class Shelf:
    """Serves the CA's list, and counts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.revoked: list[str] = []
        self.fetched: list[str] = []
        self.is_down = False
        world.ca.list_url = URL
        world.fetch_list = self.fetch
        world.new_process()

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.is_down:
            raise CertificateError("down")
        return self.world.ca.revocation_list(*self.revoked)

    def served(self, name: str = "a.example.com") -> str:
        return read_leaf(self.world.publisher.serving[name].chain).serial


def test_a_revoked_certificate_is_replaced_at_once_and_only_it() -> None:
    """Lists are fetched every few hours, one for all; the replacement is not looked for again and survives a restart."""

    async def main() -> None:
        world = World("a.example.com", "b.example.com")
        shelf = Shelf(world)
        await world.start(HOUR)
        assert shelf.fetched == [URL]
        before = {name: shelf.served(name) for name in world.config.names}
        shelf.revoked.append(before["a.example.com"])
        await asyncio.sleep(6 * HOUR + 20 * MINUTE)
        assert world.orders == 3
        assert shelf.served() != before["a.example.com"]
        assert shelf.served("b.example.com") == before["b.example.com"]
        await asyncio.sleep(DAY)
        assert len(shelf.fetched) <= 6
        await world.restart(HOUR)
        await world.manager.stop()
        assert world.orders == 3

    run(main())


def test_a_list_that_cannot_be_had_changes_nothing() -> None:
    """It is asked for again an hour later; what it then says counts."""

    async def main() -> None:
        world = World("a.example.com")
        shelf = Shelf(world)
        shelf.is_down = True
        await world.start(12 * HOUR)
        assert world.orders == 1
        assert 8 <= len(shelf.fetched) <= 12
        shelf.is_down = False
        shelf.revoked.append(shelf.served())
        await asyncio.sleep(90 * MINUTE)
        await world.manager.stop()
        assert world.orders == 2

    run(main())


# -- how it is fetched -------------------------------------------------------------------------------------------------


@contextmanager
def answering(reply: bytes) -> Iterator[str]:
    """The URL of a server that says this."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/1.crl"
        finally:
            server.shutdown()
            thread.join()


def complaint_about(url: str) -> str:
    with pytest.raises(CertificateError) as caught:
        asyncio.run(fetch_list(url))
    return str(caught.value)


def test_fetching_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body of a 200 and nothing else: no redirect, no error page, not too much, not too late, nobody there."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist") as url:
        assert asyncio.run(fetch_list(url)) == b"list"
        monkeypatch.setattr(list_fetching, "LARGEST_LIST", 3)
        assert "longer than 3 bytes" in complaint_about(url)
        monkeypatch.undo()
        monkeypatch.setattr(list_fetching, "DEADLINE", -1.0)
        assert "did not come" in complaint_about(url)
    with answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n") as url:
        assert "answered 302" in complaint_about(url)
    with answering(b"nonsense") as url:
        assert "could not be fetched" in complaint_about(url)
    (closed,) = free_ports(1)
    assert "could not be fetched" in complaint_about(f"http://127.0.0.1:{closed}/")
