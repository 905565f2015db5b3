"""What a CA's refusal means: a problem document (RFC 7807, RFC 8555 §6.7) becomes an error class, words and a hint.

Everything in a problem document is text from the network: wrong types are ignored, control characters go, lengths are
capped. Unknown types are legal and judged by the HTTP status.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from edge.certs.issuer import ErrorClass, IssueFailed

LONGEST_DETAIL = 500
"""Characters of a CA's words that an operator gets to see."""

MOST_SUBPROBLEMS = 100
"""Names in one certificate at the most generous CA."""


class Problem(Struct, frozen=True):
    """One problem document. `kind` is the last part of its type ("rateLimited") or ""; `identifier` the name it is about."""

    kind: str
    detail: str
    status: int = 0
    identifier: str = ""
    subproblems: tuple[Problem, ...] = ()

    def words(self) -> str:
        """The detail, with what was said about single names."""
        parts = [self.detail or self.kind or f"HTTP status {self.status}"]
        parts += [f"{sub.identifier}: {sub.words()}" if sub.identifier else sub.words() for sub in self.subproblems]
        return clean("; ".join(parts))


class ProblemFailure(IssueFailed):
    """A failure that the CA explained. `problem` is for code that reacts to a particular type."""

    problem: Problem


def clean(text: str) -> str:
    """`text` on one line, without control characters, at most `LONGEST_DETAIL` characters."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 4 * LONGEST_DETAIL])
    line = " ".join(printable.split())
    return line if len(line) <= LONGEST_DETAIL else f"{line[: LONGEST_DETAIL - 1]}…"


def parse_problem(document: object, status: int = 0, *, depth: int = 0) -> Problem:
    """The problem in a decoded JSON value of any shape."""
    fields = document if isinstance(document, Mapping) else {}
    identifier = fields.get("identifier")
    inner = fields.get("subproblems")
    return Problem(
        kind=_text(fields.get("type")).rpartition(":")[2][:64],
        detail=_text(fields.get("detail")),
        status=status,
        identifier=_text(identifier.get("value")) if isinstance(identifier, Mapping) else "",
        subproblems=tuple(
            parse_problem(item, depth=1) for item in inner[:MOST_SUBPROBLEMS] if isinstance(item, Mapping)
        )
        if isinstance(inner, list) and depth == 0
        else (),
    )


def decode_problem(body: bytes, status: int) -> Problem:
    """The problem in a reply body of any kind; an HTML page or nothing at all gives a problem without a kind."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        document = None
    return parse_problem(document, status)


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""


_CLASSES = {
    "badNonce": ErrorClass.TRANSPORT,
    "serverInternal": ErrorClass.TRANSPORT,
    "rateLimited": ErrorClass.RATE,
    "connection": ErrorClass.VALIDATION,
    "dns": ErrorClass.VALIDATION,
    "dnssec": ErrorClass.VALIDATION,
    "tls": ErrorClass.VALIDATION,
    "incorrectResponse": ErrorClass.VALIDATION,
    "caa": ErrorClass.POLICY,
    "rejectedIdentifier": ErrorClass.POLICY,
    "unsupportedIdentifier": ErrorClass.POLICY,
    "malformed": ErrorClass.POLICY,
    "badCSR": ErrorClass.POLICY,
    "badPublicKey": ErrorClass.POLICY,
    "badSignatureAlgorithm": ErrorClass.POLICY,
    "invalidProfile": ErrorClass.POLICY,
    "invalidContact": ErrorClass.ACCOUNT,
    "unsupportedContact": ErrorClass.ACCOUNT,
    "accountDoesNotExist": ErrorClass.ACCOUNT,
    "externalAccountRequired": ErrorClass.ACCOUNT,
    "userActionRequired": ErrorClass.ACCOUNT,
    "unauthorized": ErrorClass.ACCOUNT,
    "orderNotReady": ErrorClass.ORDER,
    "alreadyReplaced": ErrorClass.ORDER,
}

_HINTS = {
    "connection": "the CA could not reach this host: open TCP port 80 and 443 in firewall and port forwarding, and check that the"
    " A and AAAA records of the name lead here",
    "dns": "check that the name has A or AAAA records that lead here, and that its name servers answer",
    "dnssec": "the DNSSEC signatures of the zone are broken: CAs must refuse such names; repair the zone or remove its DS record",
    "tls": "something in front of this host answers TLS on port 443: let it pass connections through, or open port 80",
    "incorrectResponse": "another server answered the CA: check that the name's A and AAAA records lead only here",
    "unauthorized": "another server answered the CA: check that the name's A and AAAA records lead only here",
    "caa": "the name's CAA records do not allow this CA: add one for it, or remove them",
    "rateLimited": "edge waits as long as the CA asks; if this follows a restart, make sure that the storage directory persists",
    "rejectedIdentifier": "this CA does not certify the name: is it public, and spelled right?",
    "unsupportedIdentifier": "this CA does not certify names or addresses of this kind",
    "invalidProfile": "this CA does not offer the certificate profile to this account",
    "externalAccountRequired": "this CA wants an account made on its web site first: give its key ID and HMAC key",
    "userActionRequired": "the CA wants a human to agree to its terms: visit the page that it names",
    "invalidContact": "the CA does not accept the e-mail address: check --email",
    "unsupportedContact": "the CA does not accept the e-mail address: check --email",
    "serverInternal": "the CA has trouble of its own; edge tries again",
}


def classify(problem: Problem, *, validating: bool, waits: bool) -> ErrorClass:
    """The class of a problem. `validating`: it stood inside an authorization; `waits`: the reply said when to come back."""
    if problem.status == 429 or (problem.status == 503 and waits):
        return ErrorClass.RATE
    if validating and problem.kind in ("unauthorized", "malformed", ""):
        return ErrorClass.VALIDATION
    if problem.kind == "compound" and problem.subproblems:
        return classify(problem.subproblems[0], validating=validating, waits=waits)
    if problem.kind == "unauthorized" and "profile" in problem.detail.lower():
        return ErrorClass.POLICY
    if problem.status in (404, 410) and problem.kind in ("malformed", "unauthorized", ""):
        return ErrorClass.ORDER
    known = _CLASSES.get(problem.kind)
    if known is not None:
        return known
    return ErrorClass.POLICY if 400 <= problem.status < 500 else ErrorClass.TRANSPORT


_ABOUT_NAMES = ("identifier", "domain", "hostname", "certificates", "authorizations", '"')
"""Words in the details of limits that count per name or per set of names (Let's Encrypt quotes the names)."""


def concerns_everybody(problem: Problem) -> bool:
    """Whether a rate limit is about the account or the whole CA, rather than about the names of this order."""
    if problem.status == 503:
        return True
    if problem.identifier or problem.subproblems:
        return False
    words = problem.detail.lower()
    return not any(word in words for word in _ABOUT_NAMES)


def hint_for(problem: Problem, error_class: ErrorClass) -> str:
    """One sentence for the operator, or ""."""
    if error_class is ErrorClass.RATE and "unpause" in problem.detail.lower():
        return "the CA has paused this name after many failures: repair the cause, then open the URL in its message"
    if problem.kind == "unauthorized" and error_class is not ErrorClass.VALIDATION:
        return "the CA does not accept the account: was it deactivated?" if error_class is ErrorClass.ACCOUNT else ""
    if problem.kind == "compound" and problem.subproblems:
        return hint_for(problem.subproblems[0], error_class)
    return _HINTS.get(problem.kind, "")


def failure(
    problem: Problem,
    phase: str,
    *,
    retry_after: float | None = None,
    validating: bool = False,
    about: str = "",
    order_is_dead: bool = False,
) -> ProblemFailure:
    """The error for a problem. `about` is put before the CA's words."""
    error_class = classify(problem, validating=validating, waits=retry_after is not None)
    raised = ProblemFailure(
        error_class,
        phase,
        clean(f"{about}: {problem.words()}" if about else problem.words()),
        retry_after=retry_after,
        hint=hint_for(problem, error_class),
        order_is_dead=order_is_dead or error_class is ErrorClass.ORDER,
        is_shared=error_class is ErrorClass.RATE and concerns_everybody(problem),
    )
    raised.problem = problem
    return raised
