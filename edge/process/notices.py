"""Notices as processes see them: a watch beside the manager, and a trial by command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from edge.certs.notices.message import TRIAL
from edge.certs.notices.sending import send
from edge.certs.notices.watch import NoticeWatch
from edge.certs.requests import Answer
from edge.certs.status import CertificateStatus
from edge.config.schema import Config
from edge.storage.opening import open_storage


def new_watch(statuses: Callable[[], list[CertificateStatus]], config: Callable[[], Config]) -> NoticeWatch:
    """The watch of a keeper; `config()` is the present configuration."""
    return NoticeWatch(open_storage(config().storage), statuses, lambda: config().notify, time.time)


def send_test(config: Config) -> Answer:
    """Send a notice by every way that the configuration names."""
    assert config.notify is not None
    outcomes = asyncio.run(send(config.notify, TRIAL))
    is_done = not any(outcome.problem for outcome in outcomes)
    return Answer(is_done, tuple(f"{outcome.way}: {outcome.problem or 'sent'}" for outcome in outcomes))
