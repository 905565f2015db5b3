"""Who hears that a certificate is running out, how often, and what happens when nobody can be told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.notices import sending, watch
from edge.certs.notices.due import Concern, Level, Told, concerns
from edge.certs.notices.message import TRIAL, Notice, write_notice
from edge.certs.notices.sending import Outcome, send
from edge.certs.notices.watch import KEY, NoticeWatch
from edge.certs.status import CertificateStatus
from edge.config.endpoint import Endpoint
from edge.config.notify_schema import Email, Notify
from edge.config.secret import Secret
from tests.blackbox.edge_process import free_port
from tests.certs.fakes import MemoryStorage, fail_on
from tests.certs.sinks import HTTPSink, MailSink

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0


def status(left: float | None = 60 * DAY, *, name: str = "a.test", **changes: object) -> CertificateStatus:
    """A certificate of 90 days with so much of it left, None for none at all."""
    end = None if left is None else NOW + left
    made = CertificateStatus(
        directory=f"{name}-1",
        names=(name,),
        state="missing" if left is None else "valid" if left > 0 else "expired",
        issuer="Let's Encrypt",
        in_use=True,
        not_after=end,
        not_before=None if end is None else end - 90 * DAY,
    )
    return msgspec.structs.replace(made, **changes)


def told_after(statuses: list[CertificateStatus], told: dict[str, Told], now: float = NOW) -> list[Level]:
    """The levels that are told now; `told` becomes the memory after it."""
    found, memory = concerns(statuses, told, now)
    told.clear()
    told.update(memory)
    return [concern.level for concern in found]


def test_once_at_a_quarter_then_daily_then_expired_then_well() -> None:
    """The whole course of a certificate that is not renewed, and then is."""
    told: dict[str, Told] = {}
    assert told_after([status(23 * DAY)], told) == []
    assert told_after([status(22 * DAY)], told) == [Level.SOON]
    assert told_after([status(22 * DAY)], told, NOW + HOUR) == []
    assert told_after([status(21 * DAY)], told, NOW + DAY) == [Level.SOON]
    assert told_after([status(-1)], told, NOW + DAY + 60) == [Level.EXPIRED]
    assert told_after([status(-1)], told, NOW + DAY + HOUR) == []
    assert told_after([status(-1)], told, NOW + 2 * DAY + 60) == [Level.EXPIRED]
    assert told_after([status()], told, NOW + 3 * DAY) == [Level.WELL]
    assert told == {}
    assert told_after([status()], told, NOW + 4 * DAY) == []


def test_a_name_without_any_certificate_is_told_after_an_hour() -> None:
    """Its DNS may just be moving here."""
    assert told_after([status(None, failing_since=NOW - HOUR + 1)], {}) == []
    assert told_after([status(None)], {}) == []
    assert told_after([status(None, failing_since=NOW - HOUR)], {}) == [Level.MISSING]


def test_names_that_left_are_nobodys_concern() -> None:
    """Neither running out nor well again."""
    told = {"a.test-1": Told(Level.SOON, NOW)}
    assert told_after([status(-1, in_use=False)], {}) == []
    assert told_after([], told) == []
    assert told == {}


def test_a_clock_that_was_wrong_does_not_silence() -> None:
    """What was told in the future does not count."""
    assert told_after([status(DAY)], {"a.test-1": Told(Level.SOON, NOW + 365 * DAY)}) == [Level.SOON]


@given(st.lists(st.floats(-200 * DAY, 90 * DAY), max_size=20))
def test_no_certificate_is_told_about_twice_a_day(course: list[float]) -> None:
    """At one level, whatever happens to it within an hour."""
    told: dict[str, Told] = {}
    seen = [told_after([status(left)], told, NOW + number) for number, left in enumerate(course)]
    bad = [levels[0] for levels in seen if levels]
    assert all(one is not other for one, other in pairwise(bad))


def test_the_message_names_certificate_cause_and_remedy() -> None:
    """In words, and for programs."""
    failing = status(5 * DAY, last_error="challenge: timeout", last_hint="open port 80", next_attempt=NOW + HOUR)
    found = [Concern(Level.SOON, failing), Concern(Level.WELL, status(name="b.test"))]
    notice = write_notice(found, "web1", NOW)
    assert notice.subject == "edge: the certificate of a.test and 1 more runs out"
    assert notice.text == (
        "a.test: expires 2027-01-20T08:00:00Z, in 5 d. Problem: challenge: timeout. What to do: open port 80."
        " Next try: 2027-01-15T09:00:00Z.\n"
        "b.test: well again, valid until 2027-03-16T08:00:00Z\n\nedge on web1"
    )
    document = json.loads(notice.as_json())
    assert document["text"].startswith(notice.subject)
    assert [each["level"] for each in document["certificates"]] == ["soon", "well"]


def test_a_message_about_thousands_stays_short() -> None:
    """The first fifty by name, all of them for programs."""
    found = [Concern(Level.MISSING, status(None, name=f"n{number}.test")) for number in range(10_000)]
    notice = write_notice(found, "web1", NOW)
    assert len(notice.text.splitlines()) == 53
    assert "… and 9950 more" in notice.text
    assert len(notice.events) == 10_000


# -- sending ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook() -> Iterator[HTTPSink]:
    with HTTPSink() as sink:
        yield sink


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


def outcome(notify: Notify, notice: Notice = TRIAL) -> list[Outcome]:
    return asyncio.run(send(notify, notice))


def email(port: int, **changes: object) -> Email:
    made = Email(("ops@example.com",), "edge@example.com", Endpoint("127.0.0.1", port), "none")
    return msgspec.structs.replace(made, **changes)


def test_a_program_gets_json_and_text(tmp_path: Path) -> None:
    """On standard input and in its environment, without a shell in between."""
    script = tmp_path / "notify"
    script.write_text(f'#!/bin/sh\ncat > {tmp_path}/in\nprintf %s "$EDGE_NOTICE_SUBJECT|$1" > {tmp_path}/env\n')
    script.chmod(0o755)
    assert outcome(Notify(command=(str(script), "$HOME"))) == [Outcome("command")]
    assert json.loads((tmp_path / "in").read_text())["subject"] == TRIAL.subject
    assert (tmp_path / "env").read_text() == f"{TRIAL.subject}|$HOME"


def test_a_program_that_fails_says_why() -> None:
    """Its last words, or that it cannot be started."""
    (failed,) = outcome(Notify(command=("/bin/sh", "-c", "echo no such room >&2; exit 3")))
    assert failed.problem == "/bin/sh ended with status 3: no such room"
    (missing,) = outcome(Notify(command=("/nowhere/notify",)))
    assert missing.problem == "/nowhere/notify cannot be started: no such file or directory"


def test_a_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it has started."""
    monkeypatch.setattr(sending, "TIMEOUT", 0.1)
    (late,) = outcome(Notify(command=("/bin/sh", "-c", "sleep 600 & wait")))
    assert late.problem == "/bin/sh did not end within 0.1 s"


def test_a_program_that_reads_nothing_is_fine() -> None:
    """A notice larger than a pipe holds does not block it."""
    notice = Notice("s", "x" * 1_000_000)
    big = msgspec.structs.replace(notice, text="short", events=({"names": "x" * 1_000_000},))
    assert outcome(Notify(command=("/bin/true",)), big) == [Outcome("command")]


def test_a_webhook_gets_json(hook: HTTPSink) -> None:
    """By POST, with a text that chat services show."""
    assert outcome(Notify(webhook=f"{hook.url}/secret-path")) == [Outcome("webhook")]
    ((path, fields, body),) = hook.received
    assert (path, fields["content-type"]) == ("/secret-path", "application/json")
    assert json.loads(body)["text"].startswith("edge: this is a test")


@pytest.mark.parametrize("code", [301, 404, 500])
def test_a_webhook_that_refuses_is_told_without_its_url(hook: HTTPSink, code: int, tmp_path: Path) -> None:
    """Redirects are not followed; the path may be a password."""
    hook.status = code
    (tmp_path / "url").write_text(f"{hook.url}/secret-path\n")
    (failed,) = outcome(Notify(webhook_secret=Secret(file=str(tmp_path / "url"))))
    assert failed.problem == f"the webhook answered with status {code}"
    assert len(hook.received) == 1


def test_a_webhook_that_is_not_there_is_told_without_its_url() -> None:
    """Foreign errors quote the URL, so their words are left out."""
    (failed,) = outcome(Notify(webhook=f"http://127.0.0.1:{free_port()}/secret-path"))
    assert failed.problem == "the webhook cannot be reached: ConnectionError"


def test_a_mail_is_sent(mail: MailSink) -> None:
    """From, to, subject and text as a person expects them, marked as automatic."""
    assert outcome(Notify(email=email(mail.port, to=("a@example.com", "b@example.com")))) == [Outcome("email")]
    ((sender, recipients, message),) = mail.received
    assert (sender, recipients) == ("edge@example.com", ["a@example.com", "b@example.com"])
    assert message["Subject"] == TRIAL.subject
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().strip() == TRIAL.text


def test_a_mail_server_wants_a_password(mail: MailSink, tmp_path: Path) -> None:
    """It gets the right one, and a wrong one is told without being shown."""
    mail.password = "right"
    (tmp_path / "password").write_text("right\n")
    login = {"user": "edge", "password": Secret(file=str(tmp_path / "password"))}
    assert outcome(Notify(email=email(mail.port, **login))) == [Outcome("email")]
    (tmp_path / "password").write_text("wrong-one\n")
    (failed,) = outcome(Notify(email=email(mail.port, **login)))
    assert failed.problem == f"the mail server 127.0.0.1:{mail.port} refuses user or password"


def test_what_a_mail_server_may_do_wrong(mail: MailSink) -> None:
    """No encryption, a refusal, nobody there: a sentence each."""
    (plain,) = outcome(Notify(email=email(mail.port, encryption="starttls")))
    assert "did not take the message: SMTPNotSupportedError" in plain.problem
    mail.refuses = True
    (refused,) = outcome(Notify(email=email(mail.port)))
    assert "refuses" in refused.problem
    (gone,) = outcome(Notify(email=email(free_port())))
    assert "did not take the message: Connection refused" in gone.problem


def test_all_ways_are_used_whatever_becomes_of_one(hook: HTTPSink, mail: MailSink) -> None:
    """Each independently."""
    notify = Notify(command=("/bin/false",), webhook=hook.url, email=email(mail.port))
    assert [(each.way, bool(each.problem)) for each in outcome(notify)] == [
        ("command", True), ("webhook", False), ("email", False),
    ]  # fmt: skip


# -- the watch --------------------------------------------------------------------------------------------------------


class Watched:
    """A watch over one certificate, whose sending is recorded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.storage = MemoryStorage()
        self.status = status(DAY)
        self.now = NOW
        self.sent: list[Notice] = []
        self.outcomes = [Outcome("webhook")]
        monkeypatch.setattr(watch, "send", self._send)

    async def _send(self, notify: Notify, notice: Notice) -> list[Outcome]:
        self.sent.append(notice)
        return self.outcomes

    def look(self) -> bool:
        """By a process that has just been started."""
        made = NoticeWatch(self.storage, lambda: [self.status], lambda: Notify(webhook="https://x"), lambda: self.now)
        return asyncio.run(made.look())


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_a_restart_repeats_nothing(watched: Watched) -> None:
    """What has been told is on disk."""
    assert [watched.look(), watched.look()] == [True, True]
    assert len(watched.sent) == 1
    watched.now += DAY
    watched.status = status()
    watched.look()
    assert [notice.subject for notice in watched.sent] == [
        "edge: the certificate of a.test runs out", "edge: the certificate of a.test is well again",
    ]  # fmt: skip


def test_one_way_that_works_is_enough(watched: Watched) -> None:
    """Nobody is told twice because another way is broken; when none works, all are tried again."""
    watched.outcomes = [Outcome("webhook", "down"), Outcome("email")]
    assert watched.look()
    watched.status = status(-1)
    watched.outcomes = [Outcome("webhook", "down")]
    assert not watched.look()
    assert not watched.look()
    assert len(watched.sent) == 3
    watched.outcomes = [Outcome("webhook")]
    assert watched.look()


def test_another_node_tells(watched: Watched) -> None:
    """Whoever has the lock."""
    watched.storage.locked.add(watch.LOCK)
    assert watched.look()
    assert watched.sent == []


@pytest.mark.parametrize("damage", [b"", b"[]", b"\xff", b'{"a.test-1": {"level": "odd", "at": 0}}'])
def test_a_damaged_memory_is_put_aside(watched: Watched, damage: bytes) -> None:
    """It costs one notice too many."""
    watched.storage.files[KEY] = damage
    assert watched.look()
    assert len(watched.sent) == 1
    assert KEY in watched.storage.quarantined
    watched.look()
    assert len(watched.sent) == 1


def test_a_full_disk_does_not_make_a_flood(monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    """What cannot be written is remembered while the process lives."""
    watched.storage.before = fail_on("store")
    made = NoticeWatch(watched.storage, lambda: [watched.status], lambda: Notify(webhook="https://x"), lambda: NOW)

    async def look_often() -> None:
        for _ in range(5):
            await made.look()

    asyncio.run(look_often())
    assert len(watched.sent) == 1


def test_without_notify_nobody_is_asked() -> None:
    """Not even for the state of certificates."""

    def fail() -> list[CertificateStatus]:
        raise AssertionError

    look: Callable[[], object] = NoticeWatch(MemoryStorage(), fail, lambda: None, lambda: NOW).look
    assert asyncio.run(look())  # type: ignore[arg-type]  # a coroutine, whatever mypy infers from object
