"""Problem documents of any shape become a class, words and a hint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.acme.problems import LONGEST_DETAIL, Problem, classify, clean, decode_problem, failure, parse_problem
from edge.certs.issuer import ErrorClass

PREFIX = "urn:ietf:params:acme:error:"
MEMBERS = st.sampled_from(["type", "detail", "subproblems", "identifier", "value", "status"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


@given(JSON, st.integers(min_value=0, max_value=999))
def test_any_document_is_a_problem(document: Any, status: int) -> None:
    """Whatever JSON a CA sends, there is a failure with printable words of limited length."""
    for read in (parse_problem(document, status), decode_problem(json.dumps(document).encode(), status)):
        raised = failure(read, "order", about="a.test")
        assert 0 < len(raised.detail) <= LONGEST_DETAIL
        assert raised.detail.isprintable()
        assert raised.error_class in ErrorClass


@given(st.binary())
def test_any_body_is_a_problem(body: bytes) -> None:
    """Also what is no JSON at all."""
    assert decode_problem(body, 500).status == 500


def test_a_deep_document_is_a_problem() -> None:
    """Nesting ends neither the parser nor us."""
    assert decode_problem(b"[" * 100_000, 500).kind == ""
    deep: dict[str, Any] = {"detail": "inner"}
    for _ in range(50):
        deep = {"subproblems": [deep]}
    assert len(parse_problem(deep).subproblems) == 1
    assert parse_problem(deep).subproblems[0].subproblems == ()


@given(st.text())
def test_clean_words_are_one_line(text: str) -> None:
    """No control character, no line break, no more than the cap."""
    assert clean(text) == clean(clean(text))
    assert clean(text).isprintable()
    assert len(clean(text)) <= LONGEST_DETAIL


def test_words_speak_of_every_name() -> None:
    """Subproblems are told with the name that each is about (RFC 8555 §6.7.1)."""
    document = {
        "type": PREFIX + "malformed",
        "detail": "Some names are bad",
        "subproblems": [
            {
                "type": PREFIX + "rejectedIdentifier",
                "detail": "no\x1b[31m",
                "identifier": {"type": "dns", "value": "a.test"},
            },
            {"type": PREFIX + "caa", "detail": "forbidden", "identifier": {"type": "dns", "value": "b.test"}},
            7,
        ],
    }
    assert parse_problem(document, 400).words() == "Some names are bad; a.test: no [31m; b.test: forbidden"


@pytest.mark.parametrize(
    ("kind", "status", "validating", "waits", "expected"),
    [
        ("rateLimited", 429, False, True, ErrorClass.RATE),
        ("rateLimited", 400, False, False, ErrorClass.RATE),
        ("", 429, False, False, ErrorClass.RATE),
        ("", 503, False, True, ErrorClass.RATE),
        ("", 503, False, False, ErrorClass.TRANSPORT),
        ("serverInternal", 500, False, False, ErrorClass.TRANSPORT),
        ("badNonce", 400, False, False, ErrorClass.TRANSPORT),
        ("", 301, False, False, ErrorClass.TRANSPORT),
        ("connection", 400, True, False, ErrorClass.VALIDATION),
        ("unauthorized", 403, True, False, ErrorClass.VALIDATION),
        ("unauthorized", 403, False, False, ErrorClass.ACCOUNT),
        ("incorrectResponse", 403, True, False, ErrorClass.VALIDATION),
        ("dnssec", 400, True, False, ErrorClass.VALIDATION),
        ("caa", 403, True, False, ErrorClass.POLICY),
        ("badCSR", 400, False, False, ErrorClass.POLICY),
        ("invalidProfile", 400, False, False, ErrorClass.POLICY),
        ("accountDoesNotExist", 400, False, False, ErrorClass.ACCOUNT),
        ("userActionRequired", 403, False, False, ErrorClass.ACCOUNT),
        ("externalAccountRequired", 403, False, False, ErrorClass.ACCOUNT),
        ("orderNotReady", 403, False, False, ErrorClass.ORDER),
        ("malformed", 404, False, False, ErrorClass.ORDER),
        ("malformed", 400, False, False, ErrorClass.POLICY),
        ("inventedTomorrow", 400, False, False, ErrorClass.POLICY),
        ("inventedTomorrow", 500, False, False, ErrorClass.TRANSPORT),
    ],
)
def test_the_class_of_a_problem(kind: str, status: int, validating: bool, waits: bool, expected: ErrorClass) -> None:
    """Type and status decide; the same type can mean something else inside an authorization."""
    assert classify(Problem(kind, "", status), validating=validating, waits=waits) is expected


def test_a_compound_problem_is_its_first_part() -> None:
    """A compound has no meaning of its own."""
    compound = Problem("compound", "", 400, subproblems=(Problem("caa", "no"), Problem("dns", "no")))
    raised = failure(compound, "order")
    assert raised.error_class is ErrorClass.POLICY
    assert "CAA" in raised.hint


def test_a_refused_profile_is_no_account_trouble() -> None:
    """Let's Encrypt says "unauthorized" for a profile that the account may not use."""
    refused = Problem("unauthorized", "Account not permitted to use the profile", 403)
    assert classify(refused, validating=False, waits=False) is ErrorClass.POLICY


def test_a_paused_name_has_its_own_hint() -> None:
    """The way out stands in the CA's words; the hint points there."""
    paused = Problem("rateLimited", "paused; visit https://ca.test/unpause?x to unpause", 429)
    assert "paused" in failure(paused, "order").hint
