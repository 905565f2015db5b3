"""What a CA, or something in front of it, does wrong on the wire, and what becomes of it."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from edge.certs.acme.issuer import AcmeIssuer
from edge.certs.acme.limits import LARGEST_DOCUMENT, MOST_NONCE_TRIES, Limits
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.storage.filesystem import FileSystemStorage
from tests.certs.acme.fakes import FakeJournal, FakePublisher
from tests.certs.acme.fault_proxy import Fault, FaultProxy, reply
from tests.certs.acme.test_issuer_pebble import assert_issued, quickly
from tests.pebble import Pebble

PROBLEM = "application/problem+json"
NEW_ORDER, FINALIZE = "/order-plz", "/finalize-order/"
SHORT = Limits(connect=2.0, read=2.0, request=0.2, linger=0.0, retries=())
NAMES = ("a.test",)


def problem(kind: str, detail: str = "no") -> str:
    return f'{{"type": "urn:ietf:params:acme:error:{kind}", "detail": "{detail}"}}'


async def attempt(
    pebble: Pebble, storage: Path, *faults: Fault, journal: FakeJournal | None = None, **options: Any
) -> tuple[bytes | IssueFailed, FaultProxy]:
    """The chain or the failure of one attempt through a proxy with these faults, and the proxy with what it saw."""
    proxy, publisher = FaultProxy(pebble, list(faults)), FakePublisher("http-01")
    journal = journal or FakeJournal(NAMES)
    async with proxy.listening(), publisher.listening(pebble.http_port, pebble.tls_port):
        options = {"limits": Limits(linger=0.0), "sleep": quickly, **options}
        issuer = AcmeIssuer(proxy.directory_url, FileSystemStorage(storage), ca_file=str(pebble.ca_file), **options)
        try:
            return await issuer.issue(NAMES, journal, publisher, replaces=None, progress=journal.note), proxy
        except IssueFailed as failed:
            return failed, proxy
        finally:
            await issuer.close()
            assert publisher.given == []


def failure_of(pebble: Pebble, storage: Path, *faults: Fault, **options: Any) -> tuple[IssueFailed, FaultProxy]:
    outcome, proxy = asyncio.run(attempt(pebble, storage, *faults, **options))
    assert isinstance(outcome, IssueFailed), "the attempt was to fail"
    return outcome, proxy


def test_the_proxy_is_transparent(pebble: Pebble, tmp_path: Path) -> None:
    """Without faults an attempt succeeds: what fails below fails because of the fault."""
    journal = FakeJournal(NAMES)
    chain, _ = asyncio.run(attempt(pebble, tmp_path, journal=journal))
    assert isinstance(chain, bytes)
    assert_issued(chain, journal, NAMES)


@pytest.mark.parametrize("form", ["seconds", "date", "words"])
def test_a_rate_limit_says_when_to_come_back(pebble: Pebble, tmp_path: Path, form: str) -> None:
    """429 is told once with its time, in each of the three forms; dates are read in the CA's clock, an hour ahead here."""
    now = 1_790_000_000.0
    date = formatdate(now + 3600, usegmt=True)
    later = now + 3600 + 1200
    words = time.strftime("too many certificates, retry after %Y-%m-%d %H:%M:%S UTC: see the docs", time.gmtime(later))
    fields = {"seconds": {"Retry_After": "1200"}, "date": {"Retry_After": formatdate(later, usegmt=True)}, "words": {}}[
        form
    ]
    limited = reply("429 Too Many Requests", problem("rateLimited", words), Content_Type=PROBLEM, Date=date, **fields)
    failed, proxy = failure_of(pebble, tmp_path, Fault(NEW_ORDER, limited, times=9), wall_clock=lambda: now)
    assert (failed.error_class, failed.phase, failed.retry_after) == (ErrorClass.RATE, "order", now + 1200)
    assert proxy.count(NEW_ORDER) == 1


def test_an_overloaded_balancer_is_a_rate_limit(pebble: Pebble, tmp_path: Path) -> None:
    """503 with Retry-After asks for patience even as HTML."""
    busy = reply("503 Service Unavailable", "<html>busy</html>", Retry_After="30")
    failed, proxy = failure_of(pebble, tmp_path, Fault("/dir", busy, times=9), wall_clock=lambda: 1e9)
    assert (failed.error_class, failed.retry_after) == (ErrorClass.RATE, 1e9 + 30)
    assert proxy.count("/dir") == 1


@pytest.mark.parametrize(
    "broken",
    [
        reply("500 Internal Server Error", "<html>oops</html>"),
        reply("502 Bad Gateway", problem("serverInternal"), Content_Type=PROBLEM),
        reply("503 Service Unavailable", "[1"),
        reply("200 OK", '{"newNonce": "https://localhost/n", "newAcc'),
        reply("200 OK", "[]"),
        reply("200 OK", "x" * (LARGEST_DOCUMENT + 1)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"\x00\x01\x02\r\n\r\n",
        b"",
    ],
    ids=["500-html", "problem", "503", "cut-json", "list", "long", "short-body", "gzip", "garbage", "closed"],
)
def test_a_broken_reply_is_asked_for_again(pebble: Pebble, tmp_path: Path, broken: bytes) -> None:
    """Each is a transport failure: three more tries in the attempt, then it fails; one good reply in time is enough.

    A reply that is complete but means nothing is not asked for again: the CA meant it."""
    failed, proxy = failure_of(pebble, tmp_path / "a", Fault("/dir", broken, times=9))
    assert (failed.error_class, failed.phase, failed.order_is_dead) == (ErrorClass.TRANSPORT, "account", False)
    assert proxy.count("/dir") in (1, 4)
    if proxy.count("/dir") == 4:
        outcome, _ = asyncio.run(attempt(pebble, tmp_path / "b", Fault("/dir", broken, times=3)))
        assert isinstance(outcome, bytes)


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n{"], ids=["head", "field", "body"]
)
def test_a_dripping_reply_is_cut(pebble: Pebble, tmp_path: Path, start: bytes) -> None:
    """A CA that sends byte after byte holds nobody longer than the total deadline, in head and body."""
    failed, _ = failure_of(pebble, tmp_path, Fault("/dir", start, times=9, mode="drip"), limits=SHORT)
    assert failed.error_class is ErrorClass.TRANSPORT
    assert "within 0.2 s" in failed.detail


def test_a_storm_of_bad_nonces_ends(pebble: Pebble, tmp_path: Path) -> None:
    """Refused nonces are replaced at once, a limited number of times; a refused nonce is never more than that."""
    refused = reply("400 Bad Request", problem("badNonce"), Content_Type=PROBLEM, Replay_Nonce="AAAA")
    outcome, _ = asyncio.run(attempt(pebble, tmp_path / "a", Fault(NEW_ORDER, refused, times=3)))
    assert isinstance(outcome, bytes)
    failed, proxy = failure_of(
        pebble, tmp_path / "b", Fault(NEW_ORDER, refused, times=99), limits=Limits(retries=(), linger=0.0)
    )
    assert failed.error_class is ErrorClass.TRANSPORT
    assert proxy.count(NEW_ORDER) == MOST_NONCE_TRIES


def test_no_nonce_at_all_is_a_failure_in_words(pebble: Pebble, tmp_path: Path) -> None:
    """A proxy that strips Replay-Nonce is a transport failure, not a crash."""
    failed, _ = failure_of(pebble, tmp_path, Fault("/nonce-plz", reply("200 OK"), times=9))
    assert failed.error_class is ErrorClass.TRANSPORT
    assert "no nonce" in failed.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(pebble: Pebble, tmp_path: Path, status: int) -> None:
    """A signed request goes where it was addressed and nowhere else; a redirect is no success either."""
    redirect = reply(f"{status} Moved", "{}", Location=pebble.directory_url)
    failed, proxy = failure_of(pebble, tmp_path, Fault(NEW_ORDER, redirect, times=9))
    assert failed.phase == "order"
    assert str(status) in failed.detail
    assert all(path.split(" ")[1] != "/" for path in proxy.requests)


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "https://user@localhost/x", "ftp://localhost", "", "https://", "https://["]
)
def test_only_https_urls_are_asked(pebble: Pebble, tmp_path: Path, url: str) -> None:
    """Also the URLs inside the directory have to be https."""
    directory = f'{{"newNonce": "{url}", "newAccount": "https://a.test/", "newOrder": "https://a.test/"}}'
    failed, proxy = failure_of(pebble, tmp_path, Fault("/dir", reply("200 OK", directory)))
    assert failed.error_class is ErrorClass.TRANSPORT
    assert proxy.requests == ["GET /dir"]


def test_a_finalize_request_is_not_repeated_when_its_reply_is_lost(pebble: Pebble, tmp_path: Path) -> None:
    """The order itself tells whether the request arrived: one finalize request, one certificate."""
    journal = FakeJournal(NAMES)
    outcome, proxy = asyncio.run(attempt(pebble, tmp_path, Fault(FINALIZE, mode="lose"), journal=journal))
    assert isinstance(outcome, bytes)
    assert_issued(outcome, journal, NAMES)
    assert journal.said.count("finalize") == proxy.count(FINALIZE)


def test_a_finalize_request_that_never_arrived_is_sent_again(pebble: Pebble, tmp_path: Path) -> None:
    """The order is still ready, so nothing was issued."""
    outcome, _ = asyncio.run(attempt(pebble, tmp_path, Fault(FINALIZE, b"", times=2)))
    assert isinstance(outcome, bytes)


def test_a_refused_request_for_a_certificate_kills_the_order(pebble: Pebble, tmp_path: Path) -> None:
    """What the CA dislikes about the CSR will not change: the order is dropped, the words are told."""
    refused = reply("403 Forbidden", problem("caa", "CAA forbids"), Content_Type=PROBLEM)
    failed, _ = failure_of(pebble, tmp_path, Fault(FINALIZE, refused))
    assert (failed.error_class, failed.detail, failed.order_is_dead) == (ErrorClass.POLICY, "CAA forbids", True)
    assert "CAA" in failed.hint


def test_no_chain_is_no_success(pebble: Pebble, tmp_path: Path) -> None:
    """A download that is no PEM fails the attempt and keeps the order, so that the chain can be fetched later."""
    journal = FakeJournal(NAMES)
    failed, _ = failure_of(pebble, tmp_path, Fault("/certZ/", reply("200 OK", "<html>"), times=9), journal=journal)
    assert (failed.error_class, failed.phase, failed.order_is_dead) == (ErrorClass.TRANSPORT, "download", False)
    assert journal.order_url


def test_a_validation_that_takes_for_ever_ends(pebble: Pebble, tmp_path: Path) -> None:
    """A CA that never comes to a result is left after the deadline; answers are taken back."""
    pending = (
        '{"identifier": {"type": "dns", "value": "a.test"}, "status": "pending", "challenges": [{"type": "http-01", '
    )
    pending += '"url": "https://localhost/x", "token": "0123456789012345678901", "status": "processing"}]}'
    limits = Limits(authorize=0.3, linger=0.0)
    failed, _ = failure_of(pebble, tmp_path, Fault("/authZ/", reply("200 OK", pending), times=10**6), limits=limits)
    assert (failed.error_class, failed.phase, failed.order_is_dead) == (ErrorClass.ORDER, "challenge", True)


def test_an_attempt_ends(pebble: Pebble, tmp_path: Path) -> None:
    """The whole attempt has a deadline of its own."""
    limits = Limits(attempt=0.2, linger=0.0)
    failed, _ = failure_of(pebble, tmp_path, Fault("/dir", times=9, mode="drip"), limits=limits)
    assert (failed.error_class, failed.order_is_dead) == (ErrorClass.ORDER, False)


@pytest.mark.parametrize("status", ["expired", "deactivated", "revoked", "brand-new"])
def test_an_authorization_that_is_over_kills_the_order(pebble: Pebble, tmp_path: Path, status: str) -> None:
    """Any final status but valid is a failure, also one that nobody has heard of."""
    over = f'{{"identifier": {{"type": "dns", "value": "a.test"}}, "status": "{status}", "challenges": []}}'
    failed, _ = failure_of(pebble, tmp_path, Fault("/authZ/", reply("200 OK", over), times=9))
    assert (failed.error_class, failed.order_is_dead) == (ErrorClass.ORDER, True)
    assert status in failed.detail


def test_challenges_that_nobody_knows_are_passed_over(pebble: Pebble, tmp_path: Path) -> None:
    """With only unknown types on offer the failure says what is offered, and what could be answered."""
    strange = '{"identifier": {"type": "dns", "value": "a.test"}, "status": "pending", '
    strange += '"challenges": [{"type": "carrier-pigeon-01"}]}'
    failed, _ = failure_of(pebble, tmp_path, Fault("/authZ/", reply("200 OK", strange), times=9))
    assert failed.error_class is ErrorClass.POLICY
    assert "carrier-pigeon-01" in failed.detail
    assert "http-01" in failed.detail


def test_a_ca_that_is_not_there_is_named_in_words(tmp_path: Path) -> None:
    """Nothing listens, a name does not resolve, a root is missing: one sentence each, no foreign exception."""

    async def fail(url: str, ca_file: str = "") -> IssueFailed:
        issuer = AcmeIssuer(url, FileSystemStorage(tmp_path), ca_file=ca_file, sleep=quickly)
        try:
            await issuer.issue(NAMES, FakeJournal(NAMES), FakePublisher(), replaces=None, progress=lambda _: None)
        except IssueFailed as failed:
            return failed
        raise AssertionError("the attempt was to fail")

    refused = asyncio.run(fail("https://127.0.0.1:1/dir"))
    assert (refused.error_class, refused.detail) == (ErrorClass.TRANSPORT, "the CA refused the connection")
    plain = asyncio.run(fail("http://127.0.0.1:1/dir"))
    assert "not an https URL" in plain.detail
    missing = asyncio.run(fail("https://127.0.0.1:1/dir", ca_file=str(tmp_path / "none.pem")))
    assert missing.error_class is ErrorClass.LOCAL
    assert "none.pem" in missing.detail
    (tmp_path / "empty.pem").write_text("no certificate")
    assert (
        asyncio.run(fail("https://127.0.0.1:1/dir", ca_file=str(tmp_path / "empty.pem"))).error_class
        is ErrorClass.LOCAL
    )


def test_an_untrusted_ca_is_not_talked_to(pebble: Pebble, tmp_path: Path) -> None:
    """Without the CA file Pebble's own certificate is not trusted, and the failure says where to look."""

    async def fail() -> None:
        issuer = AcmeIssuer(pebble.directory_url, FileSystemStorage(tmp_path), sleep=quickly)
        await issuer.issue(NAMES, FakeJournal(NAMES), FakePublisher(), replaces=None, progress=lambda _: None)

    with pytest.raises(IssueFailed, match="not trusted") as caught:
        asyncio.run(fail())
    assert "--acme-ca-file" in caught.value.hint


def test_wildcards_are_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    """A wildcard needs a DNS record: the failure says so without a request."""

    async def fail() -> None:
        issuer = AcmeIssuer("https://127.0.0.1:1/dir", FileSystemStorage(tmp_path))
        names = ("*.a.test",)
        await issuer.issue(names, FakeJournal(NAMES), FakePublisher(), replaces=None, progress=lambda _: None)

    with pytest.raises(IssueFailed, match="wildcard") as caught:
        asyncio.run(fail())
    assert caught.value.error_class is ErrorClass.POLICY


def test_closing_ends_a_request_that_hangs(pebble: Pebble, tmp_path: Path) -> None:
    """`close` cuts what is under way: the attempt fails at once although the CA drips on."""

    async def close_while_asking() -> IssueFailed:
        proxy = FaultProxy(pebble, [Fault("/dir", times=9, mode="drip")])
        async with proxy.listening():
            issuer = AcmeIssuer(
                proxy.directory_url,
                FileSystemStorage(tmp_path),
                ca_file=str(pebble.ca_file),
                limits=Limits(retries=()),
                sleep=quickly,
            )
            asking = asyncio.ensure_future(
                issuer.issue(NAMES, FakeJournal(NAMES), FakePublisher(), replaces=None, progress=lambda _: None)
            )
            while not proxy.requests:
                await asyncio.sleep(0.001)
            await issuer.close()
            with pytest.raises(IssueFailed) as caught:
                await asking
        return caught.value

    assert asyncio.run(close_while_asking()).error_class is ErrorClass.TRANSPORT
