"""Metrics in the text format of Prometheus (exposition format 0.0.4). Pure.

Times are POSIX seconds, so that alarms can be written as `edge_certificate_not_after_seconds - time() < 7 * 86400`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from edge.certs.status import CertificateStatus
from edge.telemetry.traffic import Traffic


def exposition(
    statuses: Sequence[CertificateStatus], events: Mapping[tuple[str, str, str], int], traffic: Traffic
) -> str:
    """The page. `events` counts what the ledger has been told since the keeper's start, by CA, event and kind."""
    lines = [
        *_certificates(_distinct(statuses)),
        *_family(
            "edge_acme_events_total",
            "counter",
            "Orders, issuances and failures since the keeper started.",
            (
                (_labels(ca=ca, event=event, kind=kind), float(count))
                for (ca, event, kind), count in sorted(events.items())
            ),
        ),
        *_family("edge_connections", "gauge", "Open connections of visitors.", [("", float(traffic.connections))]),
        *_family(
            "edge_requests_total",
            "counter",
            "Requests answered, by class of status; 0xx ended without one.",
            (
                (_labels(status=f"{digit}xx"), float(count))
                for digit, count in enumerate(traffic.requests)
                if digit or count
            ),
        ),
    ]
    return "\n".join(lines) + "\n"


def _distinct(statuses: Sequence[CertificateStatus]) -> list[CertificateStatus]:
    """One for each set of labels, because a page with two equal ones is refused whole: of two pairs that the operator brings for
    one name (RSA and ECDSA), the one that ends first."""
    found: dict[tuple[str, str], CertificateStatus] = {}
    for each in sorted(statuses, key=lambda each: -(each.not_after or 0.0)):
        found[_name(each), each.issuer] = each
    return list(found.values())


def _certificates(statuses: Sequence[CertificateStatus]) -> Iterator[str]:
    def family(name: str, meaning: str, value: Callable[[CertificateStatus], float | None]) -> Iterator[str]:
        rows = ((_labels(name=_name(each), issuer=each.issuer), value(each)) for each in statuses)
        return _family(f"edge_certificate_{name}", "gauge", meaning, rows)

    yield from family("not_after_seconds", "End of validity.", lambda each: each.not_after)
    yield from family("not_before_seconds", "Begin of validity.", lambda each: each.not_before)
    yield from family("renewal_due_seconds", "When it is renewed.", lambda each: each.renew_at)
    yield from family("valid", "1 when it can be served without a warning.", lambda each: float(each.state == "valid"))
    yield from family("failures", "Failed attempts in a row.", lambda each: float(each.failures))
    yield from family("attention", "1 when somebody should look.", lambda each: float(bool(each.attention)))


def _name(status: CertificateStatus) -> str:
    return status.names[0] if status.names else status.directory


def _family(name: str, kind: str, meaning: str, rows: Iterable[tuple[str, float | None]]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    yield from (f"{name}{labels} {value:.15g}" for labels, value in rows if value is not None)


def _labels(**values: str) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in values.items() if value)
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
