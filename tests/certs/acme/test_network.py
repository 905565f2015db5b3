"""Proxies: what the environment may say, and that a CA behind one is cut and checked like any other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from edge.certs.acme import network
from edge.certs.acme.issuer import AcmeIssuer
from edge.certs.acme.limits import Limits
from edge.certs.issuer import IssueFailed
from edge.storage.filesystem import FileSystemStorage
from tests.certs.acme.fakes import FakeJournal, FakePublisher
from tests.certs.acme.fault_proxy import Fault, FaultProxy
from tests.certs.acme.test_issuer_pebble import assert_issued, quickly
from tests.pebble import Pebble

NAMES = ("a.test",)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_this_host_is_reached_directly(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy has no way back to our loopback."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    assert network.proxies_for(f"https://{name}:14000/dir") == {}


def test_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY and NO_PROXY are heeded."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.test")
    assert network.proxies_for("https://ca.test/dir")["https"] == "http://proxy.test:3128"
    assert "https" not in network.proxies_for("https://inside.test/dir")


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A CONNECT proxy (RFC 9110 §9.3.6) for one connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    host, _, port = head.split(b" ")[1].decode().rpartition(":")
    far_reader, far_writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


def test_a_ca_behind_a_proxy_is_the_same_ca(pebble: Pebble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a CONNECT proxy certificates are issued, the CA's TLS is checked, and what drips is cut."""

    async def scenario() -> None:
        publisher, journal = FakePublisher("http-01"), FakeJournal(NAMES)
        proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        monkeypatch.setattr(network, "proxies_for", lambda _: {"https": address})
        faulty = FaultProxy(pebble)
        async with proxy, faulty.listening(), publisher.listening(pebble.http_port, pebble.tls_port):

            async def issue(ca_file: str) -> bytes:
                issuer = AcmeIssuer(
                    faulty.directory_url,
                    FileSystemStorage(tmp_path),
                    ca_file=ca_file,
                    limits=Limits(request=0.5, linger=0.0),
                    sleep=quickly,
                )
                return await issuer.issue(NAMES, journal, publisher, replaces=None, progress=journal.note)

            assert_issued(await issue(str(pebble.ca_file)), journal, NAMES)
            with pytest.raises(IssueFailed, match="not trusted"):
                await issue("")
            faulty.faults.append(Fault("/dir", b"HTTP/1.1 200 OK\r\n", times=9, mode="drip"))
            with pytest.raises(IssueFailed, match=r"within 0\.5 s"):
                await issue(str(pebble.ca_file))

    asyncio.run(scenario())
