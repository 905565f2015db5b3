"""What stops a first order, what does not, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator

import pytest

from edge.certs.doctor.checkup import Case, Checkup
from edge.certs.doctor.questions import Questions
from edge.certs.doctor.reach import Ports
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.config.endpoint import Endpoint
from tests.certs.acme.fakes import FakePublisher
from tests.certs.doctor.public_dns import PublicDNS
from tests.pebble.server import free_ports

BOTH = frozenset({"http-01", "tls-alpn-01"})


def case(*methods: str, private: bool = False, skew: float = 0.0) -> Case:
    chosen = frozenset(methods) or BOTH
    return Case("The CA", frozenset({"ca.example"}), "", lambda _name: chosen, is_private=private, skew=skew)


@pytest.fixture
def dns() -> Iterator[PublicDNS]:
    with PublicDNS() as running:
        running.records["www.test", "A"] = ["127.0.0.1"]
        yield running


def preflight(questions: Questions | None, *names: str, given: Case | None = None, even_private: bool = False) -> str:
    """What it refuses with, or ""."""
    checkup = Checkup(questions, lambda: 0.0, even_private=even_private)
    failure = asyncio.run(_failure(checkup.preflight(names, given or case())))
    if failure is None:
        return ""
    assert failure.phase == "preflight"
    assert "was not asked" in failure.hint
    return f"{failure.error_class.value}: {failure.detail}"


async def _failure(work: Awaitable[None]) -> IssueFailed | None:
    try:
        await work
    except IssueFailed as failure:
        return failure
    return None


def test_a_name_that_exists_is_not_held_up(dns: PublicDNS) -> None:
    """Address, no CAA, no trouble."""
    assert preflight(dns.questions, "www.test") == ""


def test_a_name_that_does_not_exist_is_refused(dns: PublicDNS) -> None:
    """NXDOMAIN and an empty name, when resolvers and authoritative servers agree; one bad name of two is enough."""
    dns.records["empty.test", "TXT"] = ['"x"']
    assert preflight(dns.questions, "gone.test").startswith(f"{ErrorClass.DNS.value}: gone.test does not exist in DNS")
    assert "empty.test has no A or AAAA record" in preflight(dns.questions, "www.test", "empty.test")


def test_a_name_proved_by_dns_needs_no_address(dns: PublicDNS) -> None:
    """Its record is made below it."""
    assert preflight(dns.questions, "gone.test", "*.test", given=case("dns-01")) == ""


def test_an_authoritative_server_that_knows_an_address_overrules_resolvers(dns: PublicDNS) -> None:
    """The record has just been made: a resolver remembers that there was none."""
    dns.fresh["gone.test", "A"] = ["192.0.2.1"]
    dns.records["gone.test", "TXT"] = ['"x"']
    assert preflight(dns.questions, "gone.test") == ""


def test_an_alias_that_leads_nowhere_yet_is_not_certain(dns: PublicDNS) -> None:
    """Its target may lie in a zone that was not asked."""
    dns.records["alias.test", "CNAME"] = ["target.elsewhere.test."]
    dns.records["target.elsewhere.test", "TXT"] = ['"x"']
    assert preflight(dns.questions, "alias.test") == ""


def test_servers_that_do_not_answer_stop_nothing(dns: PublicDNS) -> None:
    """Neither silence nor SERVFAIL nor an asked-for absence of questions is a verdict."""
    (closed,) = free_ports(1)
    assert preflight(Questions((Endpoint("127.0.0.1", closed),), timeout=0.05), "gone.test") == ""
    dns.mute |= {"gone.test", "test"}
    assert preflight(dns.questions, "gone.test") == ""
    assert preflight(None, "gone.test") == ""


def test_private_cas_see_other_names(dns: PublicDNS) -> None:
    """Nothing is refused there, unless the operator has named the resolvers."""
    assert preflight(dns.questions, "gone.test", given=case(private=True)) == ""
    assert "does not exist" in preflight(dns.questions, "gone.test", given=case(private=True), even_private=True)


def test_caa_is_found_above_the_name_and_confirmed(dns: PublicDNS) -> None:
    """The closest name with records counts; a record that the authoritative servers have changed does not."""
    dns.records["test", "CAA"] = ['0 issue "other.example"']
    refusal = preflight(dns.questions, "www.test")
    assert refusal.startswith("policy: ca.example may not issue for www.test, the CAA records of test say: only other")
    assert 'test. CAA 0 issue "ca.example"' in refusal
    dns.fresh["test", "CAA"] = ['0 issue "ca.example"']
    assert preflight(dns.questions, "www.test") == ""
    dns.fresh.clear()
    dns.records["www.test", "CAA"] = ['0 issue "ca.example"']
    assert preflight(dns.questions, "www.test") == ""


def test_caa_behind_an_alias_counts(dns: PublicDNS) -> None:
    """The records of the target stand for those of the alias (RFC 8659 §3)."""
    dns.records["alias.test", "CNAME"] = ["www.test."]
    dns.records["www.test", "CAA"] = ['0 issue ";"']
    assert "the CAA records of www.test say: nobody" in preflight(dns.questions, "alias.test")


def test_broken_signatures_are_refused(dns: PublicDNS) -> None:
    """Two resolvers that check refuse, the same answer when told not to check."""
    dns.bogus.add("www.test")
    assert "signatures of the zone of www.test do not fit" in preflight(dns.questions, "www.test")
    one = Questions((dns.endpoint,), port=dns.port)
    assert preflight(one, "www.test") == ""


def examine(checkup: Checkup, name: str, publisher: FakePublisher, given: Case) -> list[str]:
    return [str(each) for each in asyncio.run(checkup.examine(name, given, publisher))]


def test_everything_is_told_on_demand(dns: PublicDNS) -> None:
    """Each thing in one sentence, ports as they are seen through the name's address."""
    http, tls, closed = free_ports(3)
    dns.records["localhost", "A"] = ["127.0.0.1"]

    async def told(ports: Ports, given: Case) -> list[str]:
        publisher = FakePublisher()
        async with publisher.listening(http, tls):
            findings = await Checkup(dns.questions, lambda: 1e9, ports=ports).examine("localhost", given, publisher)
        assert publisher.given == []
        return [str(each) for each in findings]

    good = asyncio.run(told(Ports(http, tls), case()))
    assert "ok       addresses: localhost is 127.0.0.1 for public resolvers" in good
    assert "ok       clock: agrees with that of The CA" in good
    assert f"ok       port {http}: 127.0.0.1 leads to this edge" in good
    assert f"ok       port {tls}: 127.0.0.1 leads to this edge" in good
    bad = asyncio.run(told(Ports(closed, closed), case(skew=3600.0)))
    assert sum(each.startswith(f"problem  port {closed}: 127.0.0.1 refuses") for each in bad) == 2
    assert "problem  clock: 1 h behind that of The CA: set it by NTP" in bad


def test_what_would_be_refused_is_told_as_such(dns: PublicDNS) -> None:
    """And only as a problem where a private CA may see other names."""
    checkup, publisher = Checkup(dns.questions, lambda: 0.0), FakePublisher()
    assert examine(checkup, "gone.test", publisher, case())[0].startswith("refused  addresses: gone.test")
    assert examine(checkup, "gone.test", publisher, case(private=True))[0].startswith("problem  addresses: gone.test")
