"""What port 80 answers."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.publisher import HTTP01, TLSALPN01
from edge.errors import CertificateError
from edge.handlers import acme_challenge
from edge.handlers.acme_challenge import ChallengeTable, token_of
from edge.handlers.plain_http import PlainHTTP
from edge.handlers.redirect import Redirect
from edge.handlers.served_names import ServedNames
from edge.http.exchange import Exchange
from edge.http.message import Request, ResponseHead
from edge.http.validation import check_target
from tests.fakes import FakeExchange

TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
PATH = acme_challenge.PREFIX + TOKEN.encode()
ANSWER = HTTP01("a.test", TOKEN, TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI")
NAMES = ServedNames[object]({"a.test": 1, "*.b.test": 2, "::1": 3})


def site(exchange: Exchange) -> None:
    exchange.respond(ResponseHead(200, (), 4), b"site")


def ask(
    target: bytes,
    authority: bytes = b"a.test",
    *,
    method: bytes = b"GET",
    table: ChallengeTable | None = None,
    https_port: int = 443,
) -> FakeExchange:
    exchange = FakeExchange(Request(method, b"http", authority, target, ()))
    PlainHTTP(table or ChallengeTable(), site, Redirect(NAMES, https_port))(exchange)
    return exchange


@pytest.fixture
def table() -> ChallengeTable:
    table = ChallengeTable()
    table.present(1, ANSWER)
    return table


@pytest.mark.parametrize("authority", [b"a.test", b"a.test:8080"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_token_gets_its_key_authorization(table: ChallengeTable, authority: bytes, method: bytes) -> None:
    """Exactly these bytes, no newline behind, before any redirect (RFC 8555 §8.3)."""
    exchange = ask(PATH, authority, method=method, table=table)
    assert exchange.status == 200
    assert exchange.head
    assert exchange.head.content_length == len(ANSWER.key_authorization)
    assert exchange.body == (ANSWER.key_authorization.encode() if method == b"GET" else b"")


def test_a_token_belongs_to_its_name(table: ChallengeTable) -> None:
    """Another host of ours does not get it: the site answers."""
    assert ask(PATH, b"x.b.test", table=table).body == b"site"


def test_a_token_is_given_until_it_is_cleaned_up(table: ChallengeTable) -> None:
    """Afterwards the path is the site's, as for every unknown token."""
    table.clean_up(1)
    table.clean_up(1)
    assert ask(PATH, table=table).body == b"site"


def test_the_latest_of_two_answers_counts(table: ChallengeTable) -> None:
    """And the earlier one comes back when the later goes: each number is cleaned up for itself."""
    table.present(2, HTTP01("a.test", TOKEN, "second"))
    assert ask(PATH, table=table).body == b"second"
    table.clean_up(2)
    assert ask(PATH, table=table).body == ANSWER.key_authorization.encode()


@pytest.mark.parametrize(
    "target",
    [
        PATH + b"?x=1",
        PATH + b"/",
        PATH + b"/../../admin",
        PATH + b"%41",
        acme_challenge.PREFIX,
        acme_challenge.PREFIX + b"a" * 129,
        acme_challenge.PREFIX + b"../../admin",
        acme_challenge.PREFIX + b"a.b",
        b"/x" + PATH,
        b"/.well-known//acme-challenge/" + TOKEN.encode(),
        b"/.WELL-KNOWN/acme-challenge/" + TOKEN.encode(),
    ],
)
def test_only_an_exact_challenge_path_gets_past_the_redirect(table: ChallengeTable, target: bytes) -> None:
    """Anything near it is redirected like the rest of the site."""
    exchange = ask(target, table=table)
    assert exchange.status == 308
    assert exchange.field("location") == "https://a.test" + target.decode()


def test_another_method_on_a_challenge_path_is_redirected(table: ChallengeTable) -> None:
    """A CA only reads."""
    assert ask(PATH, method=b"POST", table=table).status == 308


def test_too_many_answers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is bounded; what does not fit is not acknowledged."""
    monkeypatch.setattr(acme_challenge, "MAX_PRESENTED", 1)
    table = ChallengeTable()
    table.present(1, ANSWER)
    with pytest.raises(CertificateError):
        table.present(2, HTTP01("b.test", TOKEN, "x"))


def test_handshake_answers_are_kept_for_the_tls_side() -> None:
    """`tls_alpn_names` is empty while no ClientHello needs a look."""
    table = ChallengeTable()
    assert table.tls_alpn_names == frozenset()
    answer = TLSALPN01("a.test", b"chain", b"key")
    table.present(7, answer)
    assert table.tls_alpn_names == {"a.test"}
    assert table.handshake("a.test") is answer
    assert table.handshake("b.test") is None
    table.clean_up(7)
    assert table.tls_alpn_names == frozenset()


def test_secrets_do_not_show(table: ChallengeTable) -> None:
    """Neither repr nor log line of the table holds a key authorization."""
    assert TOKEN not in repr(table)


@given(st.binary(max_size=150))
def test_a_token_is_what_the_grammar_says(raw: bytes) -> None:
    """Any bytes behind the prefix are a token of the base64url alphabet, or none at all."""
    token = token_of(acme_challenge.PREFIX + raw)
    if token is not None:
        assert token.encode() == raw
        assert 1 <= len(raw) <= 128
        assert set(token) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize(
    ("authority", "https_port", "origin"),
    [
        (b"a.test", 443, "https://a.test"),
        (b"a.test:8080", 443, "https://a.test"),
        (b"a.test:8080", 8443, "https://a.test:8443"),
        (b"x.b.test", 443, "https://x.b.test"),
        (b"[::1]:8080", 8443, "https://[::1]:8443"),
    ],
)
def test_a_redirect_goes_to_the_same_host_on_the_https_port(authority: bytes, https_port: int, origin: str) -> None:
    """308, absolute, the port only if it is not 443."""
    exchange = ask(b"/a//b/%2F?q=%00&r=//evil", authority, https_port=https_port)
    assert exchange.status == 308
    assert exchange.field("location") == origin + "/a//b/%2F?q=%00&r=//evil"


@pytest.mark.parametrize("authority", [b"", b"evil.test", b"a.test.evil.test", b"b.test"])
def test_an_unknown_host_is_never_redirected(authority: bytes) -> None:
    """421, without a Location."""
    exchange = ask(b"/", authority)
    assert exchange.status == 421
    assert exchange.field("location") is None


def test_the_server_as_a_whole_is_redirected_to_itself() -> None:
    """`OPTIONS *` has no path (RFC 9112 §3.2.4)."""
    assert ask(b"*", method=b"OPTIONS").field("location") == "https://a.test"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#\\"), max_size=30))
def test_no_target_leads_elsewhere(rest: str) -> None:
    """Whatever valid target: the Location begins with our host and a path, and holds the target byte for byte."""
    target = b"/" + rest.replace("%", "%25").encode()
    check_target(b"GET", target)
    location = ask(target).field("location") or ""
    if token_of(target) is None:
        assert location == "https://a.test" + target.decode()
