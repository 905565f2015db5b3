"""Which certificate a handshake gets, with real handshakes in memory."""

from __future__ import annotations

import contextlib
import resource
import ssl

import pytest

from edge.errors import CertificateError
from edge.tls.certified_key import CertifiedKey
from edge.tls.contexts import new_base_context
from edge.tls.selector import BUILT_AHEAD, Selector
from tests.certificates import make_certified_key


def served(selector: Selector, server_name: str | None, *, alpn: str = "h2") -> bytes:
    """The DER leaf that a client with this server name is shown."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_context.set_alpn_protocols([alpn])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=server_name)
    server = selector.base.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        with contextlib.suppress(ssl.SSLError):  # what matters is what the client is told
            server.do_handshake()
    return client.getpeercert(binary_form=True) or b""


def leaf(certified_key: CertifiedKey) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certified_key.chain.decode())


@pytest.fixture
def selector() -> Selector:
    return Selector(new_base_context(), "a.test")


def test_exact_name_beats_wildcard(selector: Selector) -> None:
    """Exact, then wildcard for one label."""
    exact, wildcard = make_certified_key("www.a.test"), make_certified_key("*.a.test")
    selector.replace(wildcard)
    selector.replace(exact)
    assert served(selector, "www.a.test") == leaf(exact)
    assert served(selector, "WWW.A.test") == leaf(exact)
    assert served(selector, "other.a.test") == leaf(wildcard)


def test_no_server_name_gets_the_first_site(selector: Selector) -> None:
    """A client that sends no server name is shown the first site's certificate."""
    first, second = make_certified_key("a.test"), make_certified_key("b.test")
    selector.replace(second)
    selector.replace(first)
    assert served(selector, None) == leaf(first)


@pytest.mark.parametrize("name", ["c.test", "x.y.a.test", "test"])
def test_an_unknown_name_is_refused_with_an_alert(selector: Selector, name: str) -> None:
    """unrecognized_name (RFC 6066 §3), never somebody else's certificate."""
    selector.replace(make_certified_key("a.test", "*.a.test"))
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        served(selector, name)


def test_a_new_certificate_is_served_from_the_next_handshake(selector: Selector) -> None:
    """Replacing swaps what is served; a dropped name is unknown."""
    old, new = make_certified_key("a.test"), make_certified_key("a.test")
    selector.replace(old)
    assert served(selector, "a.test") == leaf(old)
    selector.replace(new)
    assert served(selector, "a.test") == leaf(new)
    selector.drop(("a.test",))
    with pytest.raises(ssl.SSLError):
        served(selector, "a.test")


def test_a_key_that_does_not_fit_changes_nothing(selector: Selector) -> None:
    """OpenSSL's refusal is a CertificateError and the old certificate goes on being served."""
    good, other = make_certified_key("a.test"), make_certified_key("a.test")
    selector.replace(good)
    mixed = CertifiedKey(good.names, good.chain, other.key, "ff", good.not_after)
    with pytest.raises(CertificateError):
        selector.replace(mixed)
    assert served(selector, "a.test") == leaf(good)


def test_ordinary_visitors_never_see_a_challenge_certificate(selector: Selector) -> None:
    """A pending TLS-ALPN-01 answer lives in its own context, outside of server name selection."""
    real, answer = make_certified_key("a.test"), make_certified_key("a.test")
    selector.replace(real)
    selector.present_challenge("a.test", answer.chain, answer.key)
    assert served(selector, "a.test") == leaf(real)
    assert "a.test" in selector.challenges
    selector.clean_up_challenge("a.test")
    assert not selector.challenges


def test_a_certificate_that_comes_without_descriptors_is_not_lost(selector: Selector) -> None:
    """It is served as soon as there are some again: nobody would send it a second time."""
    old, new = make_certified_key("a.test"), make_certified_key("a.test")
    selector.replace(old)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        selector.replace(new)
        with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
            served(selector, "a.test")
        with pytest.raises(CertificateError):
            selector.present_challenge("a.test", new.chain, new.key)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert served(selector, "a.test") == leaf(new)


def test_of_many_certificates_only_those_in_use_have_contexts(selector: Selector) -> None:
    """Beyond the first ones a context is built when somebody comes for it."""
    keys = [make_certified_key(f"n{number}.test") for number in range(BUILT_AHEAD + 5)]
    for each in keys:
        selector.replace(each)
    assert f"{BUILT_AHEAD} contexts" in repr(selector)
    assert served(selector, keys[-1].names[0]) == leaf(keys[-1])
    assert f"{BUILT_AHEAD + 1} contexts" in repr(selector)


def test_a_certificate_that_cannot_be_built_later_is_dropped(selector: Selector) -> None:
    """Its names are unknown from then on: visitors must not be able to fill the log."""
    for number in range(BUILT_AHEAD):
        selector.replace(make_certified_key(f"n{number}.test"))
    good, other = make_certified_key("a.test"), make_certified_key("a.test")
    selector.replace(CertifiedKey(good.names, good.chain, other.key, "ff", good.not_after))
    with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
        served(selector, "a.test")
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        served(selector, "a.test")


def test_a_replacement_is_tried_however_many_there_are(selector: Selector) -> None:
    """What is served now stays until its successor is known to work."""
    keys = [make_certified_key(f"n{number}.test") for number in range(BUILT_AHEAD + 1)]
    for each in keys:
        selector.replace(each)
    last = keys[-1]
    with pytest.raises(CertificateError):
        selector.replace(CertifiedKey(last.names, last.chain, keys[0].key, "ff", last.not_after))
    assert served(selector, last.names[0]) == leaf(last)
