"""Taking over what certbot, Caddy or somebody's own scripts have, without a single order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from josepy.jwk import JWKRSA

from edge.certs.acme.account import AccountRecord, account_directory
from edge.certs.identifiers import CertificateSpec
from edge.certs.importing.caddy import read_caddy
from edge.certs.importing.certbot import parse_settings, read_certbot
from edge.certs.importing.found import Found, FoundPair, read_pair
from edge.certs.importing.take_over import TakeOver
from edge.certs.ledger import Event, read_entries
from edge.certs.requests import Answer
from edge.certs.status import read_certificates
from edge.certs.store import CertificateStore
from edge.config.schema import Acme, CertificateOptions, Config, Site
from edge.process.importing import read_directory
from tests.certs.certbot_layout import LETS_ENCRYPT, CertbotLayout
from tests.certs.fakes import FakeCA, MemoryStorage
from tests.certs.material import issue, new_key, stored
from tests.certs.virtual_time import START

DAY = 86400.0
URL = "https://acme-v02.api.letsencrypt.org/acme/acct/123456789"

ACCOUNT = account_directory(LETS_ENCRYPT, "")


def config_for(*names: str, acme: Acme | None = None, **options: str) -> Config:
    site = Site(names=names, certificate=CertificateOptions(**options))  # type: ignore[arg-type]  # fields by name
    return Config(sites=(site,), storage="/nowhere", acme=acme or Acme())


def take(
    found: Found,
    storage: MemoryStorage,
    config: Config | None = None,
    *,
    now: float = START + DAY,
    dry_run: bool = False,
) -> Answer:
    return TakeOver(config or config_for("example.com"), storage, dry_run=dry_run, now=now).perform(found)


@pytest.fixture
def certbot(tmp_path: Path) -> CertbotLayout:
    return CertbotLayout(tmp_path / "letsencrypt")


def test_a_certificate_with_two_names_serves_both(certbot: CertbotLayout) -> None:
    """edge has one certificate for each name; the shared one stands in for both until they are due."""
    chain, key = issue("example.com", "www.example.com")
    certbot.add_lineage("example.com", chain, key)
    storage = MemoryStorage()
    answer = take(read_certbot(certbot.root), storage, config_for("example.com", "www.example.com"))
    assert answer.is_done, answer
    statuses = read_certificates(storage, START + DAY)
    assert {(each.names, each.state, each.issuer, each.attention) for each in statuses} == {
        (("example.com",), "valid", "Let's Encrypt", ""),
        (("www.example.com",), "valid", "Let's Encrypt", ""),
    }
    assert {entry.event for entry in read_entries(storage)} == {Event.IMPORTED}
    assert "taken over from" in answer.sentences[0]


def test_names_that_share_a_certificate_in_edge_find_it(certbot: CertbotLayout) -> None:
    """`certificate = "per-site"` looks for all names in one place."""
    chain, key = issue("example.com", "www.example.com")
    certbot.add_lineage("example.com", chain, key)
    storage = MemoryStorage()
    config = config_for("example.com", "www.example.com", grouping="per-site")
    assert take(read_certbot(certbot.root), storage, config).is_done
    assert [each.names for each in read_certificates(storage, START)] == [("example.com", "www.example.com")]


def test_the_account_goes_on(certbot: CertbotLayout) -> None:
    """Its RSA key and URL are stored as edge's own would be; the key is never shown."""
    key = certbot.add_account(URL)
    storage = MemoryStorage()
    answer = take(read_certbot(certbot.root), storage)
    assert answer.is_done, answer
    record = json.loads(storage.files[f"{ACCOUNT}/account.json"])
    assert (record["url"], record["directory"]) == (URL, LETS_ENCRYPT)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert storage.files[f"{ACCOUNT}/key.pem"] == pem
    assert set(AccountRecord.__struct_fields__) >= set(record)


def test_the_account_in_use_is_taken(certbot: CertbotLayout) -> None:
    """Of several at one CA, the one that certificates are renewed with."""
    certbot.add_account("https://ca.example/acct/1", account="0" * 32)
    certbot.add_account(URL)
    certbot.add_account("https://ca.example/acct/3", account="f" * 32)
    certbot.add_lineage("example.com", *issue("example.com"))
    assert [account.url for account in read_certbot(certbot.root).accounts] == [URL]


def test_importing_twice_changes_nothing(certbot: CertbotLayout) -> None:
    """The second time says so."""
    certbot.add_account(URL)
    certbot.add_lineage("example.com", *issue("example.com"))
    storage = MemoryStorage()
    assert take(read_certbot(certbot.root), storage).is_done
    before = dict(storage.files)
    answer = take(read_certbot(certbot.root), storage)
    assert answer.is_done
    assert all(sentence.endswith("taken over already") for sentence in answer.sentences)
    assert storage.files == before


def test_a_dry_run_writes_nothing(certbot: CertbotLayout) -> None:
    """It says what would be done."""
    certbot.add_account(URL)
    certbot.add_lineage("example.com", *issue("example.com"))
    storage = MemoryStorage()
    answer = take(read_certbot(certbot.root), storage, dry_run=True)
    assert answer.is_done
    assert all("would be taken over" in sentence for sentence in answer.sentences)
    assert storage.files == {}


def test_what_edge_has_is_not_replaced_by_something_older(certbot: CertbotLayout) -> None:
    """Nor its account by another one; a newer certificate is taken."""
    storage = MemoryStorage()
    take(Found(pairs=[FoundPair("x", *issue("example.com", now=START), ca=LETS_ENCRYPT)]), storage)
    storage.files[f"{ACCOUNT}/key.pem"] = new_key()[1]
    ca = FakeCA(lambda: START - DAY)
    next(ca.serials)
    certbot.add_lineage("example.com", *issue("example.com", ca=ca))
    certbot.add_account(URL)
    answer = take(read_certbot(certbot.root), storage)
    assert answer.is_done
    assert "edge has one of its own there, which stays" in answer.sentences[0]
    assert "edge has a newer one" in answer.sentences[1]
    newer = FakeCA(lambda: START + DAY)
    next(newer.serials)
    found = Found(pairs=[FoundPair("y", *issue("example.com", ca=newer), ca=LETS_ENCRYPT)])
    assert "taken over from y" in take(found, storage, now=START + 2 * DAY).sentences[0]


def test_a_certificate_of_a_ca_that_is_not_asked_is_kept_until_it_is_due() -> None:
    """Without an issuer's name nothing makes edge replace it early."""
    storage = MemoryStorage()
    take(Found(pairs=[FoundPair("x", *issue("example.com"), ca="https://ca.example/dir")]), storage)
    assert [each.issuer for each in read_certificates(storage, START)] == [""]
    (meta,) = (value for key, value in storage.files.items() if key.endswith("meta.json"))
    assert json.loads(meta) == {"issuer": ""}


def test_all_problems_are_told_at_once_and_the_rest_is_taken(certbot: CertbotLayout) -> None:
    """A wrong key, a broken link, an unreadable chain and account: each in a sentence that names the place."""
    good = issue("example.com")
    certbot.add_lineage("good.test", *good)
    certbot.add_lineage("wrong-key.test", good[0], new_key()[1])
    certbot.add_lineage("broken.test", *good)
    (certbot.root / "archive/broken.test/privkey3.pem").unlink()
    certbot.add_lineage("garbage.test", b"garbage", good[1])
    certbot.add_account(URL)
    (certbot.root / "accounts/acme-v02.api.letsencrypt.org/directory").joinpath("x" * 32).mkdir()
    bad = certbot.root / "accounts/ca.example/dir/abc"
    bad.mkdir(parents=True)
    (bad / "private_key.json").write_text('{"kty": "RSA", "n": "secret"}')
    (bad / "regr.json").write_text('{"uri": "https://ca.example/1"}')
    answer = take(read_certbot(certbot.root), MemoryStorage())
    assert not answer.is_done
    text = "\n".join(answer.sentences)
    for words in ("live/wrong-key.test: the certificate is for another key", "live/broken.test/privkey.pem: no such file",
                  "live/garbage.test: no readable PEM", "ca.example/dir/abc: private_key.json holds no private key"):  # fmt: skip
        assert words in text, text
    assert "example.com: taken over" in text
    assert "secret" not in text


def test_expired_certificates_are_left_out(certbot: CertbotLayout) -> None:
    """That is what old lineages are, and no problem."""
    certbot.add_lineage("old.test", *issue("old.test", now=START - 100 * DAY))
    answer = take(read_certbot(certbot.root), MemoryStorage())
    assert answer.is_done
    assert "left out, expired 2027-01-05T08:00:00Z" in answer.sentences[0]


def test_an_order_under_way_is_waited_for() -> None:
    """And what it has brought is not replaced by something older; one that does not end is a problem to be told."""
    storage = MemoryStorage()
    pauses: list[float] = []
    ca = FakeCA(lambda: START)
    next(ca.serials)
    found = Found(pairs=[FoundPair("x", *issue("example.com", ca=ca), ca=LETS_ENCRYPT)])
    directory = CertificateSpec(("example.com",), "public").directory
    storage.locked.add(directory)
    never = TakeOver(config_for("example.com"), storage, dry_run=False, now=START + DAY, sleep=pauses.append)
    answer = never.perform(found)
    assert not answer.is_done
    assert "edge is ordering this certificate just now" in answer.sentences[0]
    assert sum(pauses) == 30

    def finish(_seconds: float) -> None:
        fresh = msgspec.structs.replace(stored("example.com", now=START + DAY), issuer="Let's Encrypt")
        CertificateStore(storage, directory, ("example.com",)).save(fresh)
        storage.locked.clear()

    soon = TakeOver(config_for("example.com"), storage, dry_run=False, now=START + DAY, sleep=finish)
    (sentence,) = soon.perform(found).sentences
    assert "edge has a newer one" in sentence


def test_of_two_certificates_the_newer_one_is_taken(certbot: CertbotLayout) -> None:
    """A name may stand in several lineages."""
    certbot.add_lineage("a", *issue("example.com", now=START - DAY))
    certbot.add_lineage("b", *issue("example.com", "www.example.com", now=START))
    answer = take(read_certbot(certbot.root), MemoryStorage())
    assert sum("taken over from" in sentence and "live/b" in sentence for sentence in answer.sentences) == 2


def test_a_pair_of_files(tmp_path: Path) -> None:
    """What acme.sh, lego or a person have made."""
    chain, key = issue("example.com")
    (tmp_path / "c.pem").write_bytes(chain)
    (tmp_path / "k.pem").write_bytes(key)
    storage = MemoryStorage()
    assert take(read_pair(str(tmp_path / "c.pem"), str(tmp_path / "k.pem")), storage).is_done
    assert [each.state for each in read_certificates(storage, START)] == ["valid"]
    answer = take(read_pair(str(tmp_path / "no.pem"), str(tmp_path / "nor.pem")), storage)
    assert len(answer.sentences) == 2


def test_caddy(tmp_path: Path) -> None:
    """Certificates, wildcards too, and the account; Caddy's own CA is left alone."""
    issuer = "acme-v02.api.letsencrypt.org-directory"
    for name in ("example.com", "*.example.com"):
        stem = name.replace("*", "wildcard_")
        place = tmp_path / "certificates" / issuer / stem
        place.mkdir(parents=True)
        chain, key = issue(name)
        (place / f"{stem}.crt").write_bytes(chain)
        (place / f"{stem}.key").write_bytes(key)
        described = {"sans": [name], "issuer_data": {"url": "https://x", "ca": LETS_ENCRYPT, "account": URL}}
        (place / f"{stem}.json").write_text(json.dumps(described))
    (tmp_path / "certificates/local/localhost").mkdir(parents=True)
    users = tmp_path / "acme" / issuer / "users/default"
    users.mkdir(parents=True)
    key_of_account = ec.generate_private_key(ec.SECP256R1())
    pem = key_of_account.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (users / "default.key").write_bytes(pem)
    (users / "default.json").write_text(json.dumps({"status": "valid", "location": URL}))
    storage = MemoryStorage()
    answer = take(read_caddy(tmp_path), storage)
    assert answer.is_done, answer
    assert {each.names for each in read_certificates(storage, START)} == {("example.com",), ("*.example.com",)}
    assert json.loads(storage.files[f"{ACCOUNT}/account.json"])["url"] == URL
    assert b"BEGIN PRIVATE KEY" in storage.files[f"{ACCOUNT}/key.pem"]


def test_a_directory_of_neither_is_refused(tmp_path: Path) -> None:
    """With the reason; one that is not there likewise."""
    for place, words in ((tmp_path, "nothing to take over"), (tmp_path / "no", "no such directory")):
        answer = take(read_directory(place), MemoryStorage())
        assert not answer.is_done
        assert words in answer.sentences[0]


def _small_key(_path: Path) -> str:
    return JWKRSA(key=rsa.generate_private_key(65537, 1024)).json_dumps()


@pytest.mark.parametrize(
    "make", [_small_key, lambda _path: "", lambda _path: "[" * 5000, lambda _path: '{"kty": "oct"}']
)
def test_account_keys_of_other_kinds_are_refused(certbot: CertbotLayout, make: Callable[[Path], str]) -> None:
    """In words, and nothing is stored."""
    certbot.add_account(URL)
    (path,) = certbot.root.glob("accounts/*/*/*/private_key.json")
    path.write_text(make(path))
    storage = MemoryStorage()
    answer = take(read_certbot(certbot.root), storage)
    assert not answer.is_done
    assert storage.files == {}


@given(st.text(max_size=200))
def test_any_renewal_configuration_can_be_read(text: str) -> None:
    """Lines of another form are passed over."""
    assert all(isinstance(value, str) for value in parse_settings(text).values())
