"""What the operator is told."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from edge.certs.issuer import ErrorClass, IssueFailed
from edge.certs.messages import in_words, utc
from tests.certs.fakes import failure
from tests.certs.virtual_time import START, run
from tests.certs.world import DAY, World


def test_a_failure_says_everything_an_operator_needs() -> None:
    """Name, phase, CA, attempt, cause, what to check, when next, what is served meanwhile."""

    async def main() -> None:
        world = World()
        cause = "CA could not connect to 203.0.113.5 port 80"
        world.issuer.script = [IssueFailed(ErrorClass.VALIDATION, "challenge", cause, hint="open port 80")]
        with capture_logs() as logs:
            await world.start(5)
            await world.manager.stop()
        [entry] = [entry for entry in logs if entry["event"] == "certificate attempt failed"]
        assert entry.pop("next_try").startswith("2027-01-15T08:0")
        assert entry == {
            "event": "certificate attempt failed",
            "log_level": "warning",
            "room": "certs",
            "name": "example.com",
            "phase": "challenge",
            "ca": "Fake CA",
            "attempt": 1,
            "kind": "validation",
            "cause": cause,
            "check": "open port 80",
            "serving": "a self-signed placeholder; browsers warn",
        }

    run(main())


@pytest.mark.usefixtures("coarse")
def test_an_overdue_certificate_is_announced_daily_and_then_hourly() -> None:
    """A warning a day under a quarter of the lifetime, an error an hour under a tenth, and after expiry."""

    async def main() -> None:
        world = await World(lifetime=40 * DAY).start(5)
        world.issuer.always = failure(ErrorClass.TRANSPORT)
        with capture_logs() as logs:
            await asyncio.sleep(41 * DAY)
            await world.manager.stop()
        reminders = [(entry["event"], entry["log_level"]) for entry in logs if "runs out" in entry["event"]]
        assert 5 <= reminders.count(("certificate runs out", "warning")) <= 7
        assert 90 <= reminders.count(("certificate runs out", "error")) <= 97
        expired = [entry for entry in logs if entry["event"] == "certificate expired"]
        assert 20 <= len(expired) <= 25
        assert "expired 2027-02-24" in expired[0]["serving"]
        assert expired[0]["cause"] == "scripted transport"

    run(main())


def test_progress_and_success_are_told() -> None:
    """Each phase, then the certificate with its end and its renewal."""

    async def main() -> None:
        world = World()
        with capture_logs() as logs:
            await world.start(5)
            await world.manager.stop()
        assert [entry["phase"] for entry in logs if entry["event"] == "certificate progress"] == ["order", "issued"]
        [issued] = [entry for entry in logs if entry["event"] == "certificate issued"]
        assert issued["not_after"] == utc(START + 1 + 90 * DAY)
        assert "share of its lifetime" in issued["renewal"]

    run(main())


def test_no_private_key_is_ever_logged() -> None:
    """Neither in events nor in the repr of anything that travels."""

    async def main() -> None:
        world = World()
        with capture_logs() as logs:
            await world.start(5)
            await world.manager.stop()
        served = world.publisher.serving["example.com"]
        assert "PRIVATE" not in repr(logs) + repr(served) + repr(world.manager._tasks)

    run(main())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (5.9, "5 s"), (60, "1 min"), (90, "90 s"), (900, "15 min"), (7199, "119 min"), (28 * DAY, "28 d")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """The largest unit that fits twice."""
    assert in_words(seconds) == words
