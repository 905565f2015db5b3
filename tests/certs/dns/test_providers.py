"""One contract, three providers: a value is added beside others, removed alone, and both can be said twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.certs.dns.build import build_records
from edge.certs.dns.exec_hook import ExecHook
from edge.certs.dns.lexicon import Lexicon
from edge.certs.dns.lookup import Lookup
from edge.certs.dns.provider import TXTRecord
from edge.certs.dns.records import DNSRecords
from edge.certs.dns.rfc2136 import Rfc2136
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.config.acme_schema import DNS, ExecDNS, LexiconDNS, Rfc2136DNS
from edge.config.endpoint import Endpoint
from edge.config.secret import Secret
from tests.certs.dns.fakes import MemoryZone
from tests.certs.dns.name_server import KEY_NAME, SECRET, NameServer
from tests.certs.fakes import MemoryStorage

PLACE = "_acme-challenge.www.test"
ONE, TWO = TXTRecord(PLACE, "one"), TXTRecord(PLACE, 'tw"o\\')


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer("test", "sub.test") as running:
        yield running


@pytest.fixture
def key(tmp_path: Path) -> Secret:
    path = tmp_path / "tsig.key"
    path.write_text(f"{SECRET}\n")
    return Secret(file=str(path))


def rfc2136(server: NameServer, key: Secret, **settings: Any) -> Rfc2136:
    return Rfc2136(Rfc2136DNS(server.endpoint, settings.pop("key_name", KEY_NAME), key, **settings), lookup_at(server))


def lookup_at(server: NameServer) -> Lookup:
    return Lookup((server.endpoint,), port=server.port)


def write_hook(directory: Path, body: str) -> tuple[str, ...]:
    path = directory / "hook"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return (str(path),)


def failure_of(provider: Any, record: TXTRecord = ONE) -> IssueFailed:
    with pytest.raises(IssueFailed) as caught:
        asyncio.run(provider.present(record))
    assert (caught.value.error_class, caught.value.order_is_dead) == (ErrorClass.DNS, False)
    assert SECRET not in f"{caught.value} {caught.value.hint} {caught.value.__cause__!r}"
    return caught.value


# -- RFC 2136 ----------------------------------------------------------------------------------------------------------


def test_signed_updates_add_and_remove_single_values(server: NameServer, key: Secret) -> None:
    """Two values side by side, each said twice; the zone is the longest that the server says it has."""
    provider = rfc2136(server, key)

    async def main() -> None:
        for record in (ONE, TWO, ONE):
            await provider.present(record)
        assert server.values[PLACE] == ["one", 'tw"o\\']
        for record in (ONE, ONE):
            await provider.clean_up(record)
        assert server.values[PLACE] == ['tw"o\\']
        await provider.present(TXTRecord("_acme-challenge.sub.test", "x"))

    asyncio.run(main())
    assert server.values["_acme-challenge.sub.test"] == ["x"]


def test_the_update_server_may_be_a_name(server: NameServer, key: Secret) -> None:
    """It is looked up at the configured resolvers."""
    settings = Rfc2136DNS(Endpoint("ns1.test", server.port), KEY_NAME, key, zone="test")
    asyncio.run(Rfc2136(settings, lookup_at(server)).present(ONE))
    assert server.values[PLACE] == ["one"]


def test_a_wrong_key_is_told_without_showing_it(server: NameServer, key: Secret, tmp_path: Path) -> None:
    """Another secret, another name, something that is no base64, an empty file: each in words, none with the secret."""
    assert "does not accept the TSIG key" in failure_of(rfc2136(server, key, key_name="other")).detail
    wrong = tmp_path / "wrong"
    contents = {b"d3Jvbmc=": "does not accept", f"{SECRET}a".encode(): "base64", b"": "empty", b"\xff\xfe": "UTF-8"}
    for content, words in contents.items():
        wrong.write_bytes(content)
        assert words in failure_of(rfc2136(server, Secret(file=str(wrong)))).detail
    assert not server.history


def test_refusals_of_the_server_are_told(server: NameServer, key: Secret) -> None:
    """An update policy that forbids, a zone it does not have, a server that is not there."""
    server.refuses = True
    assert "update policy" in failure_of(rfc2136(server, key)).detail
    assert "no zone" in failure_of(rfc2136(server, key), TXTRecord("_acme-challenge.example.net", "x")).detail
    server.refuses = False
    assert "not in the zone" in failure_of(rfc2136(server, key, zone="other.zone.test")).detail
    gone = Rfc2136DNS(Endpoint("127.0.0.1", 1), KEY_NAME, key, zone="test")
    assert "could not be asked" in failure_of(Rfc2136(gone, lookup_at(server))).detail


# -- the operator's program --------------------------------------------------------------------------------------------


def test_the_hook_gets_arguments_and_environment(tmp_path: Path) -> None:
    """Action, name and value come both ways, behind the operator's own arguments, with edge's environment."""
    hook = write_hook(
        tmp_path, 'echo "$*|$EDGE_DNS_ACTION $EDGE_DNS_NAME $EDGE_DNS_VALUE $EDGE_DNS_TTL|$PATH" >> "$1"; echo noise'
    )
    provider = ExecHook(ExecDNS((*hook, f"{tmp_path}/log")))

    async def main() -> None:
        await provider.present(ONE)
        await provider.clean_up(ONE)

    asyncio.run(main())
    assert (tmp_path / "log").read_text().splitlines() == [
        f"{tmp_path}/log {action} {PLACE} one|{action} {PLACE} one 60|{os.environ['PATH']}"
        for action in ("present", "clean_up")
    ]


def test_a_failing_hook_is_told_in_its_own_last_words(tmp_path: Path) -> None:
    """The last line on standard error, without control characters; a signal by its number; a missing program."""
    hook = write_hook(tmp_path, "echo first >&2; printf 'zone \\033[31mlocked\\n' >&2; exit 3")
    problem = failure_of(ExecHook(ExecDNS(hook)))
    assert problem.detail.endswith("ended with status 3: zone [31mlocked")
    assert "signal 9" in failure_of(ExecHook(ExecDNS(write_hook(tmp_path, "kill -9 $$")))).detail
    assert "cannot be started" in failure_of(ExecHook(ExecDNS(("/nowhere/hook",)))).detail


def test_a_hook_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """After the timeout nothing of it is left."""
    hook = write_hook(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    assert "did not end within 0.3 s" in failure_of(ExecHook(ExecDNS(hook, timeout=0.3))).detail
    assert not runs(int((tmp_path / "child").read_text()))


def runs(process: int) -> bool:
    """Whether it does anything: a zombie that nobody has collected yet is as good as gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_hook_that_floods_its_standard_error_harms_nobody(tmp_path: Path) -> None:
    """Only the end is kept."""
    hook = write_hook(tmp_path, "yes noise | head -c 3000000 >&2; echo the end >&2; exit 1")
    assert failure_of(ExecHook(ExecDNS(hook))).detail.endswith("the end")


# -- lexicon -----------------------------------------------------------------------------------------------------------


class FakeService:
    """A lexicon client; remembers its configuration and its records. Raises `trouble`."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str]] = []
        self.configuration: dict[str, Any] = {}
        self.trouble: Exception | None = None
        self.done = True

    @contextlib.contextmanager
    def open(self, configuration: dict[str, Any]) -> Iterator[FakeService]:
        self.configuration = configuration
        if self.trouble:
            raise self.trouble
        yield self

    def create_record(self, rtype: str, name: str, content: str) -> bool:
        assert rtype == "TXT"
        self.records.append((name, content))
        return self.done

    def delete_record(self, *, rtype: str, name: str, content: str) -> bool:
        assert rtype == "TXT"
        self.records.remove((name, content))
        return self.done


def test_lexicon_gets_zone_options_and_secrets(key: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zone is found by us, secrets come from file and environment at the moment of use."""
    monkeypatch.setenv("EDGE_TEST_TOKEN", " t0ken\n")
    service = FakeService()
    secrets = {"auth_token": Secret(variable="EDGE_TEST_TOKEN"), "auth_key": key}
    provider = Lexicon(LexiconDNS("cloud", {"user": "me"}, secrets), MemoryZone(), service.open)

    async def main() -> None:
        await provider.present(ONE)
        await provider.present(TWO)
        await provider.clean_up(ONE)

    asyncio.run(main())
    assert service.records == [(PLACE, TWO.value)]
    assert service.configuration["cloud"] == {"user": "me", "auth_token": "t0ken", "auth_key": SECRET}
    assert (service.configuration["domain"], service.configuration["provider_name"]) == ("www.test", "cloud")


def test_trouble_with_a_service_is_told_without_its_words(key: Secret) -> None:
    """What a foreign module says may hold a token, so only the kind of error is shown; a missing package names the remedy."""
    service = FakeService()
    provider = Lexicon(LexiconDNS("cloud", {}, {"auth_token": key}), MemoryZone(), service.open)
    service.trouble = ValueError(f"GET https://api/?token={SECRET}")
    assert "ValueError" in failure_of(provider).detail
    service.trouble = ModuleNotFoundError("no", name="lexicon")
    assert "pip install" in failure_of(provider).hint
    service.trouble, service.done = None, False
    assert "no reason" in failure_of(provider).detail
    unset = Lexicon(
        LexiconDNS("cloud", {}, {"auth_token": Secret(variable="EDGE_NOT_SET")}), MemoryZone(), service.open
    )
    assert "EDGE_NOT_SET" in failure_of(unset).detail


# -- looking, and all together -----------------------------------------------------------------------------------------


def test_zone_servers_and_aliases_are_found(server: NameServer) -> None:
    """By the resolvers; values by the servers themselves."""
    server.aliases["a.test"] = "b.test"
    server.values[PLACE] = ["one", "two"]

    async def main() -> None:
        lookup = lookup_at(server)
        assert await lookup.zone_of("_acme-challenge.www.sub.test") == "sub.test"
        (found,) = await lookup.name_servers("test")
        assert (found.name, found.endpoint) == ("ns1.test", server.endpoint)
        assert await lookup.values(PLACE, found) == frozenset({"one", "two"})
        assert await lookup.values("nothing.test", found) == frozenset()
        assert (await lookup.alias("a.test"), await lookup.alias("b.test")) == ("b.test", "")
        with pytest.raises(IssueFailed, match="no addresses"):
            await lookup.name_servers("empty.test")

    asyncio.run(main())


def test_a_resolver_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, with what to check."""
    monkeypatch.setattr("edge.certs.dns.lookup.RESOLVER_TIMEOUT", 0.5)
    with pytest.raises(IssueFailed, match="could not be found out") as caught:
        asyncio.run(Lookup((Endpoint("127.0.0.1", 1),)).alias("a.test"))
    assert caught.value.hint


@pytest.mark.parametrize(
    "provider",
    [ExecDNS(("/bin/true",)), Rfc2136DNS(Endpoint("ns1.test"), "k", Secret(file="/k")), LexiconDNS("cloud")],
)
def test_every_provider_can_be_built(provider: ExecDNS | Rfc2136DNS | LexiconDNS) -> None:
    """Nothing is read or asked before it is needed."""
    assert isinstance(build_records(DNS(provider), MemoryStorage(), lambda: 0.0), DNSRecords)
