"""One look at the CA's renewal advice (RFC 9773): ask, remember the window, plan the next look."""

from __future__ import annotations

import asyncio

import msgspec

from edge.certs import polling
from edge.certs.issuer import ErrorClass, IssueFailed, Issuer, RenewalAnswer
from edge.certs.messages import utc
from edge.certs.record import CertificateRecord
from edge.certs.renewal import MINUTE
from edge.telemetry.logs import get_logger

DEADLINE = 2 * MINUTE

log = get_logger("certs")


async def take_advice(record: CertificateRecord, issuer: Issuer, chance: float) -> None:
    """Never raises for what the CA does. `chance` in [0, 1) spreads the next look."""
    if record.live is None:
        return
    try:
        async with asyncio.timeout(DEADLINE):
            answer = await issuer.renewal_info(record.live.chain)
    except TimeoutError:
        _note_failure(record, IssueFailed(ErrorClass.TRANSPORT, "renewal info", "no answer in time"))
    except IssueFailed as exc:
        _note_failure(record, exc)
    else:
        _note_answer(record, answer, chance)


def _note_failure(record: CertificateRecord, failure: IssueFailed) -> None:
    """The last good window stays in force."""
    failures = record.state.poll_failures + 1
    again = polling.after_failure(failures, failure.error_class, failure.retry_after, record.now())
    record.remember(msgspec.structs.replace(record.state, poll_failures=failures, next_poll=again))
    log.warning(
        "renewal advice not available",
        name=record.spec.name,
        ca=record.live.issuer if record.live else "",
        cause=failure.detail,
        next_try=utc(again),
    )


def _note_answer(record: CertificateRecord, answer: RenewalAnswer, chance: float) -> None:
    """An answer without a window is no reason to forget an earlier one."""
    before, window = record.state.window, answer.info or record.state.window
    again = polling.after_answer(answer.poll_again, record.now(), chance)
    record.remember(msgspec.structs.replace(record.state, window=window, poll_failures=0, next_poll=again))
    if window and window != before:
        log.info(
            "renewal window",
            name=record.spec.name,
            start=utc(window.start),
            end=utc(window.end),
            renewal=utc(record.state.renew_at),
            explanation=window.explanation_url,
        )
