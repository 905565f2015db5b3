"""Which challenge is answered, with what, and for how long."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from pathlib import Path

import josepy.jwk
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from edge.certs.acme.account import account_directory
from edge.certs.acme.certificate_id import certificate_id
from edge.certs.acme.challenges import Experience, answer_for, choose
from edge.certs.acme.memory import ChallengeMemory
from edge.certs.acme.ordering import profile_for
from edge.certs.acme.presence import Presence
from edge.certs.acme.resources import Authorization, Challenge, Identifier
from edge.certs.acme.tls_alpn import ACME_IDENTIFIER, tls_alpn_answer
from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.publisher import HTTP01, TLSALPN01
from edge.config.acme_schema import USUAL, CertificateOptions
from edge.errors import StorageError
from edge.storage.filesystem import FileSystemStorage
from tests.certs.acme.fakes import FakePublisher, challenge_context
from tests.pebble.keypair import write_key_pair

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
BOTH = frozenset({"http-01", "tls-alpn-01"})


def offered(*kinds: str, status: str = "pending", token: str = TOKEN) -> list[Challenge]:
    return [Challenge(kind, f"https://ca.test/{kind}", token, status) for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "answerable", "experience", "expected"),
    [
        (("tls-alpn-01", "http-01", "dns-01"), BOTH, Experience(), "http-01"),
        (("tls-alpn-01", "http-01"), {"tls-alpn-01"}, Experience(), "tls-alpn-01"),
        (("http-01", "tls-alpn-01"), BOTH, Experience(works="tls-alpn-01"), "tls-alpn-01"),
        (("http-01", "tls-alpn-01"), BOTH, Experience(failed="http-01"), "tls-alpn-01"),
        (("http-01", "tls-alpn-01"), BOTH, Experience(works="http-01", failed="tls-alpn-01"), "http-01"),
        (("http-01",), BOTH, Experience(failed="http-01"), "http-01"),
        (("dns-01", "dns-persist-01", "carrier-pigeon-01"), BOTH, Experience(), None),
        ((), BOTH, Experience(), None),
    ],
)
def test_the_choice(kinds: tuple[str, ...], answerable: set[str], experience: Experience, expected: str | None) -> None:
    """What worked comes first, what failed last, http-01 before tls-alpn-01; unknown types are passed over."""
    chosen = choose(offered(*kinds), answerable, experience)
    assert (chosen.type if chosen else None) == expected


def test_failures_alternate() -> None:
    """After each failure the other kind is tried; a success stays."""
    experience, tried = Experience(), []
    for _ in range(4):
        chosen = choose(offered("http-01", "tls-alpn-01"), BOTH, experience)
        assert chosen is not None
        tried.append(chosen.type)
        experience = experience.after(chosen.type, success=False)
    assert tried == ["http-01", "tls-alpn-01", "http-01", "tls-alpn-01"]


def test_a_challenge_that_the_ca_looks_at_comes_first() -> None:
    """After a crash the one that was begun is finished."""
    challenges = [*offered("http-01"), *offered("tls-alpn-01", status="processing")]
    chosen = choose(challenges, BOTH, Experience())
    assert chosen is not None
    assert chosen.type == "tls-alpn-01"


@pytest.mark.parametrize(
    "token", ["", "short", "../../etc/passwd000000000", TOKEN + "\r\nX: y", TOKEN + "=", "a" * 129]
)
def test_a_strange_token_is_not_answered(token: str) -> None:
    """A token is base64url; it becomes part of a path that workers answer."""
    assert choose(offered("http-01", token=token), BOTH, Experience()) is None


def test_the_key_authorization_is_token_and_thumbprint() -> None:
    """RFC 8555 §8.1 with the key of RFC 7638 §3.1's method: token, dot, SHA-256 thumbprint of the account key."""
    key = josepy.jwk.JWKEC(key=ec.derive_private_key(1, ec.SECP256R1()))
    authorization = Authorization(Identifier("dns", "a.test"), "pending")
    answer = answer_for(authorization, offered("http-01")[0], key, "", 0.0)
    public = {name: value for name, value in key.public_key().to_json().items() if name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(public, sort_keys=True, separators=(",", ":")).encode()).digest()
    thumbprint = josepy.b64.b64encode(digest).decode()
    assert answer == HTTP01("a.test", TOKEN, f"{TOKEN}.{thumbprint}")
    assert thumbprint not in repr(answer)


@pytest.mark.parametrize(
    ("name", "server_name"),
    [
        ("a.test", "a.test"),
        ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
        ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
    ],
)
def test_the_tls_alpn_certificate(name: str, server_name: str) -> None:
    """RFC 8737 §3: one name, the hash in a critical extension as an OCTET STRING; it can be served."""
    answer = tls_alpn_answer(name, "key authorization", 1_790_000_000.0)
    certificate = x509.load_pem_x509_certificate(answer.chain)
    identifier = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    assert identifier.critical
    assert isinstance(identifier.value, x509.UnrecognizedExtension)
    assert identifier.value.value == b"\x04\x20" + hashlib.sha256(b"key authorization").digest()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == [name]
    assert answer.server_name == server_name
    assert isinstance(challenge_context(answer), ssl.SSLContext)


def test_the_identifier_of_a_certificate() -> None:
    """RFC 9773 appendix A, its own example certificate."""
    assert certificate_id(EXAMPLE) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_what_has_no_identifier(tmp_path: Path) -> None:
    """No certificate, or one without the key identifier of its issuer, has none."""
    write_key_pair(tmp_path)
    assert certificate_id(b"") == ""
    assert certificate_id((tmp_path / "ca.pem").read_bytes()) == ""
    assert "." in certificate_id((tmp_path / "server.pem").read_bytes())


def test_the_profile_is_the_cas_default_but_for_addresses() -> None:
    """Only addresses ask for a profile, and only for one that is offered."""
    assert profile_for(("a.test",), frozenset({"classic", "shortlived"}), USUAL) is None
    assert profile_for(("a.test", "192.0.2.1"), frozenset({"classic", "shortlived"}), USUAL) == "shortlived"
    assert profile_for(("::1",), frozenset({"classic"}), USUAL) is None


def test_a_preferred_profile_is_passed_over_and_a_required_one_is_not() -> None:
    """Preferred: asked for where it is offered. Required: nothing is ordered without it, and the failure tells the choice."""
    offered = frozenset({"classic", "tlsserver"})
    assert profile_for(("a.test",), offered, CertificateOptions(profile="tlsserver")) == "tlsserver"
    assert profile_for(("a.test",), offered, CertificateOptions(profile="other")) is None
    with pytest.raises(IssueFailed, match="it offers classic, tlsserver") as caught:
        profile_for(("a.test",), offered, CertificateOptions(profile="other", profile_required=True))
    assert caught.value.error_class is ErrorClass.POLICY


@pytest.mark.parametrize(
    "url", ["https://ca.test/dir", "https://[::1]:14000/dir", "https://ca.test:1/" + "x" * 999, "nonsense", "https://["]
)
def test_an_account_directory_is_a_storage_key(url: str, tmp_path: Path) -> None:
    """Whatever the directory URL, the account has a place, and another one per external account."""
    storage = FileSystemStorage(tmp_path / "s")
    storage.store(f"{account_directory(url, '')}/key.pem", b"")
    assert account_directory(url, "") != account_directory(url, "kid")


def test_experience_survives_a_restart_and_damage(tmp_path: Path) -> None:
    """What worked is known to the next process; a damaged or unwritable file is as if there were none."""
    storage = FileSystemStorage(tmp_path / "s")
    ChallengeMemory(storage, "challenges.json").learn("a.test", "tls-alpn-01", success=True)
    assert ChallengeMemory(storage, "challenges.json").recall("a.test") == Experience(works="tls-alpn-01")
    storage.store("challenges.json", b"{broken")
    assert ChallengeMemory(storage, "challenges.json").recall("a.test") == Experience()
    storage.store("VERSION", b"999\n")
    unwritable = ChallengeMemory(FileSystemStorage(tmp_path / "s"), "challenges.json")
    unwritable.learn("a.test", "http-01", success=True)
    assert unwritable.recall("a.test") == Experience(works="http-01")
    with pytest.raises(StorageError):
        FileSystemStorage(tmp_path / "s").store("challenges.json", b"")


def test_an_answer_lingers_and_makes_room() -> None:
    """An answer stays for a while after its authorization is final, but never beside a newer one for the same name."""

    async def scenario() -> None:
        publisher, presence = FakePublisher(), Presence(linger=3600.0)
        first, second = (TLSALPN01("a.test", chain, b"") for chain in (b"1", b"2"))
        async with presence.presented(publisher, first):
            assert publisher.given == [first]
        assert publisher.given == [first]
        async with presence.presented(publisher, second):
            assert publisher.given == [second]
        presence.leave_all()
        assert publisher.given == []
        publisher.failing = True
        with pytest.raises(IssueFailed):
            async with presence.presented(publisher, first):
                pass
        assert publisher.given == []

    asyncio.run(scenario())


def test_an_answer_is_taken_back_after_its_time() -> None:
    """The timer does it without anybody's help."""

    async def scenario() -> None:
        publisher, presence = FakePublisher(), Presence(linger=0.0)
        async with presence.presented(publisher, HTTP01("a.test", TOKEN, "secret")):
            pass
        while publisher.given:
            await asyncio.sleep(0)

    asyncio.run(scenario())


def test_unknown_members_are_legal() -> None:
    """A CA may add fields and types; wrong types are no authorization."""
    body = b'{"identifier": {"type": "dns", "value": "a", "x": 1}, "status": "new", "challenges": [{"type": "y", "z": {}}]}'
    assert msgspec.json.decode(body, type=Authorization).status == "new"
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"identifier": {"type": "dns", "value": 1}, "status": "new"}', type=Authorization)


EXAMPLE = b"""-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
"""
