"""Whole issuances at a real ACME server that rejects 15 % of all nonces."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from edge.certs.acme.issuer import AcmeIssuer
from edge.certs.acme.rehearsing import Deactivation
from edge.certs.chain import read_leaf
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.publisher import HTTP01, TLSALPN01, Publisher
from edge.config.acme_schema import ExternalAccount
from edge.config.secret import Secret
from edge.storage.filesystem import FileSystemStorage
from tests.certs.acme.fakes import Crash, FakeJournal, FakePublisher, general_name
from tests.pebble import Pebble
from tests.pebble.server import PROFILES

NEW_ORDER = "/order-plz"


async def quickly(seconds: float) -> None:
    """Polls of a CA on this host need no seconds between them."""
    await asyncio.sleep(min(seconds, 0.02))


def issuer_for(pebble: Pebble, storage: Path, **options: Any) -> AcmeIssuer:
    return AcmeIssuer(
        pebble.directory_url, FileSystemStorage(storage), ca_file=str(pebble.ca_file), sleep=quickly, **options
    )


async def issue(
    pebble: Pebble,
    issuer: AcmeIssuer,
    journal: FakeJournal,
    publisher: FakePublisher,
    *,
    names: tuple[str, ...] = ("a.test",),
    replaces: bytes | None = None,
) -> bytes:
    async with publisher.listening(pebble.http_port, pebble.tls_port):
        try:
            return await issuer.issue(names, journal, publisher, replaces=replaces, progress=journal.note)
        finally:
            await issuer.close()
            assert publisher.given == [], "a challenge answer was left behind"


def leaf_of(chain: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(chain)[0]


def assert_issued(chain: bytes, journal: FakeJournal, names: tuple[str, ...]) -> None:
    leaf, *intermediates = x509.load_pem_x509_certificates(chain)
    assert leaf.public_key() == journal.public_key
    assert set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == set(
        map(general_name, names)
    )
    leaf.verify_directly_issued_by(intermediates[0])


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
@pytest.mark.parametrize("names", [("a.test",), ("b.test", "c.test", "d.test"), ("127.0.0.1",)], ids=" ".join)
def test_a_certificate_is_issued(pebble: Pebble, tmp_path: Path, kind: Any, names: tuple[str, ...]) -> None:
    """One name, several names and an IP address are proved by either challenge; phases and journal come in order."""
    journal, publisher = FakeJournal(names), FakePublisher(kind)
    chain = asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher, names=names))
    assert_issued(chain, journal, names)
    expected = {"http-01": HTTP01, "tls-alpn-01": TLSALPN01}[kind]
    assert [type(answer) for answer in publisher.history] == [expected] * len(names)
    assert journal.said == [
        "account", "order", "order created", "challenge", "validated", "finalize", "finalizing", "issued",
    ]  # fmt: skip


@pytest.mark.parametrize("moment", ["order created", "challenge", "validated", "finalizing", "issued"])
def test_a_crash_is_resumed_without_a_second_order(pebble: Pebble, tmp_path: Path, moment: str) -> None:
    """Whatever the moment of the crash, a new process finishes the same order with the same key."""
    journal, publisher = FakeJournal(("crash.test",), crash_at=moment), FakePublisher("http-01")
    before = pebble.requests(NEW_ORDER)
    with pytest.raises(Crash):
        asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher, names=("crash.test",)))
    orders = pebble.requests(NEW_ORDER) - before
    chain = asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher, names=("crash.test",)))
    assert_issued(chain, journal, ("crash.test",))
    assert pebble.requests(NEW_ORDER) - before == orders > 0
    assert journal.said.count("order created") == 1


def test_one_account_serves_all_attempts(pebble: Pebble, tmp_path: Path) -> None:
    """The account is registered once, its key 0600 and its URL on disk; a second process asks nothing about it."""
    storage = FileSystemStorage(tmp_path / "s")
    before = pebble.requests("/sign-me-up")
    for name in ("a.test", "b.test"):
        asyncio.run(
            issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal((name,)), FakePublisher(), names=(name,))
        )
        made = pebble.requests("/sign-me-up") - before
    (account,) = storage.list("accounts")
    assert storage.list(f"accounts/{account}") == ["account.json", "challenges.json", "key.pem"]
    assert (tmp_path / "s" / "accounts" / account / "key.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "s" / "accounts" / account / "account.json").write_text("{broken")
    asyncio.run(
        issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal(("c.test",)), FakePublisher(), names=("c.test",))
    )
    assert storage.list(f"accounts/{account}") == ["account.json", "challenges.json", "key.pem"]
    assert pebble.requests("/sign-me-up") - before > made > 0


def test_many_attempts_at_once_register_once(pebble: Pebble, tmp_path: Path) -> None:
    """Attempts that start together share one registration."""

    async def all_of_them() -> list[bytes]:
        issuer, publisher = issuer_for(pebble, tmp_path / "s"), FakePublisher()
        async with publisher.listening(pebble.http_port, pebble.tls_port):
            chains = await asyncio.gather(
                *(
                    issuer.issue((name,), FakeJournal((name,)), publisher, replaces=None, progress=lambda _: None)
                    for name in ("one.test", "two.test", "three.test")
                )
            )
            await issuer.close()
        return chains

    chains = asyncio.run(all_of_them())
    assert len({leaf_of(chain).serial_number for chain in chains}) == 3
    assert len(FileSystemStorage(tmp_path / "s").list("accounts")) == 1


def test_a_predecessor_is_named_once(pebble: Pebble, tmp_path: Path) -> None:
    """`replaces` is accepted; when the CA says that it is replaced already, the same attempt orders without it."""
    names = ("again.test",)
    issuer = issuer_for(pebble, tmp_path / "s")
    first = asyncio.run(issue(pebble, issuer, FakeJournal(names), FakePublisher(), names=names))
    journals = [FakeJournal(names), FakeJournal(names)]
    for journal in journals:
        again = issuer_for(pebble, tmp_path / "s")
        chain = asyncio.run(issue(pebble, again, journal, FakePublisher(), names=names, replaces=first))
        assert_issued(chain, journal, names)
        assert journal.said.count("order created") == 1


def test_a_certificate_of_nobody_as_predecessor_is_no_obstacle(pebble: Pebble, tmp_path: Path) -> None:
    """Bytes that are no certificate, and one from another CA, do not keep the order from being made."""
    for replaces in (b"nonsense", (pebble.directory / "server.pem").read_bytes()):
        journal = FakeJournal(("a.test",))
        chain = asyncio.run(
            issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, FakePublisher(), replaces=replaces)
        )
        assert_issued(chain, journal, ("a.test",))


def test_the_cause_of_a_failed_validation_is_told(pebble: Pebble, tmp_path: Path) -> None:
    """The CA's words, the name and the challenge are in the failure; the order is dead; the next attempt takes the other kind."""
    journal, publisher = FakeJournal(("a.test",)), FakePublisher()
    publisher.silent = True
    with pytest.raises(IssueFailed, match=r"a\.test \(http-01\)") as caught:
        asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher))
    assert caught.value.error_class is ErrorClass.VALIDATION
    assert caught.value.order_is_dead
    assert "404" in caught.value.detail
    assert caught.value.hint
    publisher.silent = False
    journal.order_dropped()
    asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher))
    assert [type(answer) for answer in publisher.history] == [HTTP01, TLSALPN01]


def test_every_failing_name_is_told(pebble: Pebble, tmp_path: Path) -> None:
    """With several names the failure speaks of each."""
    publisher = FakePublisher("http-01")
    publisher.silent = True
    names = ("one.test", "two.test")
    with pytest.raises(IssueFailed, match=r"one\.test.*two\.test|two\.test.*one\.test"):
        asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal(names), publisher, names=names))


def test_a_dead_order_is_replaced_at_once(pebble: Pebble, tmp_path: Path) -> None:
    """A journal whose order has died, or never existed, gives a new order in the same attempt."""
    publisher = FakePublisher("http-01")
    publisher.silent = True
    dead = FakeJournal(("a.test",))
    with pytest.raises(IssueFailed):
        asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), dead, publisher))
    unknown = FakeJournal(("a.test",), order_url=dead.order_url + "0")
    for journal in (dead, unknown):
        chain = asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, FakePublisher()))
        assert_issued(chain, journal, ("a.test",))
        assert "order dropped" in journal.said


def test_an_order_for_other_names_is_not_resumed(pebble: Pebble, tmp_path: Path) -> None:
    """The names of the order are compared before it is resumed."""
    foreign = FakeJournal(("foreign.test",), crash_at="challenge")
    with pytest.raises(Crash):
        asyncio.run(
            issue(pebble, issuer_for(pebble, tmp_path / "s"), foreign, FakePublisher(), names=("foreign.test",))
        )
    journal = FakeJournal(("a.test",), order_url=foreign.order_url)
    chain = asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, FakePublisher()))
    assert_issued(chain, journal, ("a.test",))


def test_a_worker_that_does_not_answer_fails_the_attempt(pebble: Pebble, tmp_path: Path) -> None:
    """The CA is not told to look at what is not served; the order stays."""
    journal, publisher = FakeJournal(("a.test",)), FakePublisher()
    publisher.failing = True
    with pytest.raises(IssueFailed, match="worker") as caught:
        asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher))
    assert (caught.value.error_class, caught.value.order_is_dead) == (ErrorClass.LOCAL, False)
    publisher.failing = False
    asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), journal, publisher))
    assert journal.said.count("order created") == 1


def test_a_ca_that_forgot_the_account_gets_it_again_once_a_day(tmp_path: Path) -> None:
    """The same key is registered again; a second loss within a day is left to a human."""
    with Pebble() as ca:
        key = tmp_path / "s" / "accounts"
        issuer = issuer_for(ca, tmp_path / "s")
        asyncio.run(issue(ca, issuer, FakeJournal(("a.test",)), FakePublisher()))
        (path,) = key.glob("*/key.pem")
        before = path.read_bytes()
        ca.restart()
        journal = FakeJournal(
            ("a.test",), order_url=f"https://localhost:{ca.directory_url.split(':')[2][:-4]}/my-order/x"
        )
        asyncio.run(issue(ca, issuer_for(ca, tmp_path / "s"), journal, FakePublisher()))
        assert path.read_bytes() == before
        ca.restart()
        with pytest.raises(IssueFailed, match="within the last day") as caught:
            asyncio.run(issue(ca, issuer_for(ca, tmp_path / "s"), FakeJournal(("a.test",)), FakePublisher()))
        assert caught.value.error_class is ErrorClass.ACCOUNT
        asyncio.run(
            issue(
                ca,
                issuer_for(ca, tmp_path / "s", wall_clock=lambda: datetime.now(UTC).timestamp() + 90_000),
                FakeJournal(("a.test",)),
                FakePublisher(),
            )
        )


def test_an_external_account_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA with customer accounts gets the binding; without one the failure says what it wants."""
    secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    monkeypatch.setenv("EDGE_TEST_EAB", secret)
    monkeypatch.setenv("EDGE_TEST_BAD", "!")
    good, bad, none = (
        ExternalAccount("kid-1", Secret(variable=f"EDGE_TEST_{name}")) for name in ("EAB", "BAD", "NONE")
    )
    with Pebble(external_accounts={"kid-1": secret}) as ca:
        bound = issuer_for(ca, tmp_path / "s", external_account=good)
        asyncio.run(issue(ca, bound, FakeJournal(("a.test",)), FakePublisher()))
        for external, words in ((None, "account"), (bad, "base64url"), (none, "not set")):
            unbound = issuer_for(ca, tmp_path / "t", external_account=external)
            with pytest.raises(IssueFailed, match=words) as caught:
                asyncio.run(issue(ca, unbound, FakeJournal(("a.test",)), FakePublisher()))
            assert caught.value.error_class is ErrorClass.ACCOUNT
            assert secret not in str(caught.value)


def test_addresses_get_the_short_lived_profile(tmp_path: Path) -> None:
    """Let's Encrypt certifies IP addresses in one profile only; it is named where the CA offers it."""
    with Pebble(profiles={name: PROFILES[name] for name in ("classic", "shortlived")}) as ca:
        for _ in range(3):  # an order without a profile would get a random one
            names = ("127.0.0.1",)
            chain = asyncio.run(
                issue(ca, issuer_for(ca, tmp_path / "s"), FakeJournal(names), FakePublisher(), names=names)
            )
            leaf = leaf_of(chain)
            assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=7)


def test_a_refused_name_is_a_matter_of_policy(tmp_path: Path) -> None:
    """The CA's refusal of a name is told with the name, and is no reason to hurry."""
    with Pebble(domain_blocklist=("blocked.test",)) as ca:
        with pytest.raises(IssueFailed, match=r"blocked\.test") as caught:
            asyncio.run(
                issue(
                    ca,
                    issuer_for(ca, tmp_path / "s"),
                    FakeJournal(("blocked.test",)),
                    FakePublisher(),
                    names=("blocked.test",),
                )
            )
        assert caught.value.error_class is ErrorClass.POLICY


def test_renewal_information_is_read(pebble: Pebble, tmp_path: Path) -> None:
    """The window comes as the CA gives it; an inverted one or garbage is no window, and the CA is asked again later."""
    issuer = issuer_for(pebble, tmp_path / "s")
    chain = asyncio.run(issue(pebble, issuer, FakeJournal(("a.test",)), FakePublisher()))
    leaf = leaf_of(chain)
    now = datetime.now(UTC).timestamp()
    answer = asyncio.run(issuer_for(pebble, tmp_path / "s").renewal_info(chain))
    assert answer.info is not None
    assert (
        leaf.not_valid_before_utc.timestamp()
        < answer.info.start
        < answer.info.end
        < leaf.not_valid_after_utc.timestamp()
    )
    assert now + 60 <= answer.poll_again <= now + 86_500
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00+01:00"}
    pinned = json.dumps({"suggestedWindow": window, "explanationURL": "https://ca.test/why"})
    inverted = json.dumps({"suggestedWindow": {"start": window["end"], "end": window["start"]}})
    pebble.set_renewal_info(chain, pinned)
    answer = asyncio.run(issuer_for(pebble, tmp_path / "s").renewal_info(chain))
    assert answer.info is not None
    assert (answer.info.end - answer.info.start, answer.info.explanation_url) == (23 * 3600, "https://ca.test/why")
    for garbage in (inverted, "{", "[]", '{"suggestedWindow": {"start": "2026-01-01T00:00:00", "end": "2026-01-02"}}'):
        pebble.set_renewal_info(chain, garbage)
        assert asyncio.run(issuer_for(pebble, tmp_path / "s").renewal_info(chain)).info is None


def test_a_changed_contact_is_told_once(tmp_path: Path) -> None:
    """A new e-mail address in the configuration reaches the account with the next attempt; none takes it away."""
    with Pebble(nonce_reject=0) as ca:
        for email, updates in (("", 0), ("a@example.com", 1), ("a@example.com", 1), ("b@example.com", 2), ("", 3)):
            issuer = issuer_for(ca, tmp_path / "s", email=email)
            asyncio.run(issue(ca, issuer, FakeJournal(("a.test",)), FakePublisher()))
            record = json.loads(next((tmp_path / "s" / "accounts").glob("*/account.json")).read_text())
            assert record["email"] == email
            assert ca.requests("/my-account/") == updates


def test_a_rehearsal_proves_and_orders_nothing(pebble: Pebble, tmp_path: Path) -> None:
    """The test system sees an order and a proof and no finalize; its authorizations are given back; its failure says where."""
    staging = issuer_for(pebble, tmp_path / "staging")
    issuer = issuer_for(pebble, tmp_path / "s", staging=staging)
    publisher = FakePublisher()

    async def main() -> None:
        async with publisher.listening(pebble.http_port, pebble.tls_port):
            assert await issuer.rehearse(("dry.test",), publisher)
            assert len(publisher.history) == 1
            assert await issuer.rehearse(("dry.test",), publisher), "again, and proved again"
            assert len(publisher.history) == 2
            publisher.silent = True
            with pytest.raises(IssueFailed, match="in the dry run at localhost") as caught:
                await issuer.rehearse(("dry.test",), publisher)
            assert caught.value.error_class is ErrorClass.VALIDATION
            await issuer.close()

    finalized = pebble.requests("/finalize-order")
    asyncio.run(main())
    assert pebble.requests("/finalize-order") == finalized
    assert not asyncio.run(staging.rehearse(("dry.test",), publisher)), "a CA without a test system"
    away = AcmeIssuer("https://127.0.0.1:1/dir", FileSystemStorage(tmp_path / "a"), sleep=quickly)
    assert not asyncio.run(issuer_for(pebble, tmp_path / "s", staging=away).rehearse(("dry.test",), publisher))


def test_an_account_gets_a_new_key_and_stays_the_same(pebble: Pebble, tmp_path: Path) -> None:
    """The URL is the old one, the next order is signed with the new key; a crash in between is made up for."""
    issuer = issuer_for(pebble, tmp_path / "s")
    asyncio.run(issue(pebble, issuer, FakeJournal(("a.test",)), FakePublisher()))
    (directory,) = (tmp_path / "s" / "accounts").iterdir()
    first = (directory / "key.pem").read_bytes()
    url = json.loads((directory / "account.json").read_text())["url"]
    asyncio.run(issuer_for(pebble, tmp_path / "s").change_account_key())
    second = (directory / "key.pem").read_bytes()
    assert second != first
    (directory / "key.next.pem").write_bytes(second)
    (directory / "key.pem").write_bytes(first)  # as if the process had died in between
    asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal(("a.test",)), FakePublisher()))
    assert (directory / "key.pem").read_bytes() == second
    assert not (directory / "key.next.pem").exists()
    names = ("b.test",)
    asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal(names), FakePublisher(), names=names))
    assert json.loads((directory / "account.json").read_text())["url"] == url
    with pytest.raises(IssueFailed, match="no account yet"):
        asyncio.run(issuer_for(pebble, tmp_path / "new").change_account_key())


def test_an_account_ends_by_command_and_is_put_aside(pebble: Pebble, tmp_path: Path) -> None:
    """The CA takes nothing from it any more, its key stays in quarantine, and the next order registers another."""
    issuer = issuer_for(pebble, tmp_path / "s")
    asyncio.run(issue(pebble, issuer, FakeJournal(("a.test",)), FakePublisher()))
    (directory,) = (tmp_path / "s" / "accounts").iterdir()
    url = json.loads((directory / "account.json").read_text())["url"]
    asyncio.run(issuer_for(pebble, tmp_path / "s").deactivate_account())
    assert not directory.exists()
    assert list((tmp_path / "s" / "quarantine").glob("*/key.pem"))
    asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal(("a.test",)), FakePublisher()))
    assert json.loads((directory / "account.json").read_text())["url"] != url
    issuer_for(pebble, tmp_path / "s").put_account_aside()
    assert not directory.exists()
    with pytest.raises(IssueFailed, match="no account yet"):
        asyncio.run(issuer_for(pebble, tmp_path / "s").deactivate_account())


def test_a_certificate_is_revoked_once_or_twice(pebble: Pebble, tmp_path: Path) -> None:
    """The CA knows it as revoked; one that is revoked already is no error."""
    issuer = issuer_for(pebble, tmp_path / "s")
    chain = asyncio.run(issue(pebble, issuer, FakeJournal(("a.test",)), FakePublisher()))
    for _ in range(2):
        asyncio.run(issuer_for(pebble, tmp_path / "s").revoke(chain, 4))
    assert pebble.certificate_status(read_leaf(chain).serial) == "Revoked"


def test_a_failed_validation_tells_what_is_seen_from_here(pebble: Pebble, tmp_path: Path) -> None:
    """The CA's words stay the cause; our own observation goes into the hint."""

    async def observe(name: str, _: Publisher) -> str:
        return f"seen from here: {name} leads to another server"

    publisher = FakePublisher("http-01")
    publisher.silent = True
    issuer = issuer_for(pebble, tmp_path / "s", observe=observe)
    with pytest.raises(IssueFailed) as caught:
        asyncio.run(issue(pebble, issuer, FakeJournal(("seen.test",)), publisher, names=("seen.test",)))
    assert caught.value.hint.endswith("seen from here: seen.test leads to another server")


def test_a_deactivated_account_is_never_made_again(pebble: Pebble, tmp_path: Path) -> None:
    """Somebody has done that on purpose: the failure is of class ACCOUNT (the next CA's turn), the key and URL stay."""
    issuer = issuer_for(pebble, tmp_path / "s")
    asyncio.run(issue(pebble, issuer, FakeJournal(("a.test",)), FakePublisher()))
    (directory,) = (tmp_path / "s" / "accounts").iterdir()
    before = (directory / "account.json").read_bytes()

    async def deactivate() -> None:
        closer = issuer_for(pebble, tmp_path / "s")
        async with closer._talk() as conversation:
            await conversation.start(pebble.directory_url)
            await closer._accounts.open(conversation)
            await conversation.post("account", json.loads(before)["url"], Deactivation())

    asyncio.run(deactivate())
    with pytest.raises(IssueFailed, match="deactivated") as caught:
        asyncio.run(issue(pebble, issuer_for(pebble, tmp_path / "s"), FakeJournal(("a.test",)), FakePublisher()))
    assert caught.value.error_class is ErrorClass.ACCOUNT
    assert (directory / "account.json").read_bytes() == before
