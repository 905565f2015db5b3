"""DNS-01 against Pebble: wildcards, names by choice, aliases; by signed updates and by the operator's program."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.certs.acme.issuer import AcmeIssuer
from edge.certs.dns.build import build_records
from edge.certs.dns.ledger import RecordLedger
from edge.certs.dns.lookup import Lookup
from edge.certs.dns.persist import PersistentProof
from edge.certs.dns.records import DNSRecords
from edge.certs.dns.rfc2136 import Rfc2136
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.publisher import HTTP01
from edge.config.acme_schema import DNS, CertificateOptions, ExecDNS, Rfc2136DNS
from edge.config.endpoint import parse_name_server
from edge.config.secret import Secret
from edge.storage.filesystem import FileSystemStorage
from tests.certs.acme.fakes import FakeJournal, FakePublisher
from tests.certs.acme.test_issuer_pebble import assert_issued, issuer_for, quickly
from tests.certs.dns.name_server import KEY_NAME, SECRET, NameServer
from tests.pebble import Pebble

HOOK = f"""#!{sys.executable}
import json, sys, urllib.request
url, action, name, value = sys.argv[1:]
command = {{"present": "set-txt", "clean_up": "clear-txt"}}[action]
body = json.dumps({{"host": name + ".", "value": value}}).encode()
urllib.request.urlopen(f"{{url}}/{{command}}", body, timeout=5).close()
"""


@pytest.fixture(scope="module")
def zone() -> Iterator[NameServer]:
    with NameServer("test", "acme.net") as server:
        yield server


@pytest.fixture(scope="module")
def ca(zone: NameServer) -> Iterator[Pebble]:
    """A CA that asks our name server."""
    with Pebble(dns_server=str(zone.endpoint)) as running:
        yield running


def records_at(zone: NameServer, storage: Path) -> DNSRecords:
    key = storage.parent / "tsig.key"
    key.write_text(SECRET)
    lookup = Lookup((zone.endpoint,), port=zone.port)
    provider = Rfc2136(Rfc2136DNS(zone.endpoint, KEY_NAME, Secret(file=str(key))), lookup)
    ledger = RecordLedger(FileSystemStorage(storage))
    return DNSRecords(provider, lookup, ledger, timeout=20.0, wall_clock=lambda: 0.0, sleep=quickly)


async def issue(
    ca: Pebble,
    issuer: AcmeIssuer,
    journal: FakeJournal,
    names: tuple[str, ...],
    options: CertificateOptions | None = None,
    publisher: FakePublisher | None = None,
) -> bytes:
    publisher = publisher or FakePublisher()
    async with publisher.listening(ca.http_port, ca.tls_port):
        try:
            return await issuer.issue(
                names, journal, publisher, replaces=None, progress=journal.note,
                options=options or CertificateOptions(),
            )  # fmt: skip
        finally:
            await issuer.close()


def test_a_wildcard_and_its_base_in_one_order(ca: Pebble, zone: NameServer, tmp_path: Path) -> None:
    """The wildcard is proved by DNS, the base name by HTTP as always; no record is left."""
    names, publisher = ("both.test", "*.both.test"), FakePublisher()
    journal = FakeJournal(names)
    issuer = issuer_for(ca, tmp_path / "s", records=records_at(zone, tmp_path / "s"))
    chain = asyncio.run(issue(ca, issuer, journal, names, publisher=publisher))
    assert_issued(chain, journal, names)
    assert [type(answer) for answer in publisher.history] == [HTTP01]
    assert zone.values["_acme-challenge.both.test"] == []


def test_names_by_dns_alone(ca: Pebble, zone: NameServer, tmp_path: Path) -> None:
    """With challenge = "dns-01" nothing is published; two values stand side by side; a slow server is waited for."""
    names, publisher = ("side.test", "*.side.test"), FakePublisher("http-01")
    zone.shy = 3
    journal = FakeJournal(names)
    issuer = issuer_for(ca, tmp_path / "s", records=records_at(zone, tmp_path / "s"))
    options = CertificateOptions(challenge="dns-01")
    chain = asyncio.run(issue(ca, issuer, journal, names, options, publisher))
    assert_issued(chain, journal, names)
    assert publisher.history == []
    steps = [step for step, name, _ in zone.history if name == "_acme-challenge.side.test"]
    assert sorted(steps) == ["add", "add", "delete", "delete"]


def test_an_alias_leads_the_proof_into_another_zone(ca: Pebble, zone: NameServer, tmp_path: Path) -> None:
    """`_acme-challenge` is a CNAME: only the zone behind it is changed, and the CA follows."""
    zone.aliases["_acme-challenge.alias.test"] = "customer.acme.net"
    names = ("*.alias.test",)
    journal = FakeJournal(names)
    issuer = issuer_for(ca, tmp_path / "s", records=records_at(zone, tmp_path / "s"))
    assert_issued(asyncio.run(issue(ca, issuer, journal, names)), journal, names)
    changed = {name for _, name, _ in zone.history}
    assert "customer.acme.net" in changed
    assert "_acme-challenge.alias.test" not in changed


def test_a_zone_that_refuses_keeps_the_order(ca: Pebble, zone: NameServer, tmp_path: Path) -> None:
    """The failure is of class DNS, the CA was not asked to look, and the next attempt goes on with the same order."""
    names = ("*.later.test",)
    journal = FakeJournal(names)
    zone.refuses = True
    with pytest.raises(IssueFailed, match="update policy") as caught:
        asyncio.run(issue(ca, issuer_for(ca, tmp_path / "s", records=records_at(zone, tmp_path / "s")), journal, names))
    assert (caught.value.error_class, caught.value.order_is_dead) == (ErrorClass.DNS, False)
    zone.refuses = False
    issuer = issuer_for(ca, tmp_path / "s", records=records_at(zone, tmp_path / "s"))
    assert_issued(asyncio.run(issue(ca, issuer, journal, names)), journal, names)
    assert journal.said.count("order created") == 1


def test_a_wildcard_by_the_operators_program(pebble: Pebble, tmp_path: Path) -> None:
    """The hook talks to Pebble's own DNS server; the check looks at the configured servers."""
    hook = tmp_path / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    server = parse_name_server(pebble.dns_address)
    settings = DNS(ExecDNS((str(hook), pebble.dns_management_url)), servers=(server,), resolvers=(server,))
    storage = FileSystemStorage(tmp_path / "s")
    issuer = issuer_for(pebble, tmp_path / "s", records=build_records(settings, storage, lambda: 0.0))
    names = ("*.hook.test",)
    journal = FakeJournal(names)
    assert_issued(asyncio.run(issue(pebble, issuer, journal, names)), journal, names)
    assert storage.load("dns/records.json") == b"[]"


@pytest.mark.parametrize("name", ["kept.test", "*.keptwild.test"])
def test_a_record_that_the_operator_makes_once(ca: Pebble, zone: NameServer, tmp_path: Path, name: str) -> None:
    """Without it the failure says what to make; with it the same order goes on, and the next one needs nothing."""
    options = CertificateOptions(challenge="dns-persist-01")
    lookup = Lookup((zone.endpoint,), port=zone.port)
    persistent = PersistentProof(lookup, patience=0.0, wall_clock=time.time, sleep=quickly)
    journal, publisher = FakeJournal((name,)), FakePublisher()
    issuer = issuer_for(ca, tmp_path / "s", persistent=persistent)
    with pytest.raises(IssueFailed, match="not there yet") as caught:
        asyncio.run(issue(ca, issuer, journal, (name,), options, publisher))
    assert (caught.value.error_class, caught.value.order_is_dead) == (ErrorClass.DNS, False)
    place, value = re.fullmatch(r'make this record once: (\S+)\. TXT "([^"]+)"', caught.value.hint).groups()  # type: ignore[union-attr]  # else the test has failed
    zone.values[place].append(value)
    for attempt in (journal, FakeJournal((name,))):
        issuer = issuer_for(ca, tmp_path / "s", persistent=persistent)
        assert_issued(asyncio.run(issue(ca, issuer, attempt, (name,), options, publisher)), attempt, (name,))
    assert journal.said.count("order created") == 1
    assert publisher.history == []
