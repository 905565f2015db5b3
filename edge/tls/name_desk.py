"""Where visitors wait whose name no site lists, while the keeper finds out whether there is a certificate for it.

A handshake cannot be stopped in the middle, so whoever comes for such a name is kept before it: with the ClientHello unread
in the kernel, until the certificate is here or there will be none. Then the handshake takes its ordinary course, with the
certificate or with an alert.

Strangers choose the names. All that is kept for them is bounded: names asked about, visitors waiting (in number and in time),
verdicts, and certificates, which are fetched again when they are needed again.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from edge.errors import CertificateError
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey
from edge.tls.name_answer import NameAnswer
from edge.tls.selector import Selector

MOST_NAMES: Final = 200
"""Names asked about at a time; as many as the keeper asks about for all workers."""

MOST_WAITING: Final = 1000
"""Visitors that wait at a time, for all names: a descriptor and a few hundred bytes each."""

MOST_WAITING_FOR_ONE: Final = 100
"""… and for one: a popular shop that has just moved here must not keep all others out."""

HANDSHAKE_PATIENCE: Final = 20.0
"""Seconds that a handshake waits. Most orders take five to ten; browsers give up after thirty or more."""

PAGE_PATIENCE: Final = 2.0
"""Seconds that a request on the plain port waits; then it is told that the name is being set up."""

INQUIRY_LIFETIME: Final = 60.0
"""Seconds after which the keeper is asked again about a name that has no certificate yet."""

MOST_ANSWERS: Final = 10_000
"""Refusals remembered, about 2 MB; the oldest go first."""

MOST_HELD: Final = 5000
"""Certificates held, about 5 KiB each; the one used longest ago goes first."""

HOLD_SECONDS: Final = 3600.0
"""How long one is held before the keeper is asked again, who learns by it that the name is still in use."""

_PLAUSIBLE = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
).fullmatch
"""Host names of several labels; the keeper looks closer."""

Want: TypeAlias = Callable[[str, str], None]
"""Tells the keeper that a client wants a name."""

Ready: TypeAlias = Callable[[], None]

Told: TypeAlias = Callable[[NameAnswer | None], None]
"""Hears what is known about a name; None: it has a certificate."""

log = get_logger("tls")


class _Inquiry:
    """A name that the keeper has been asked about, for the client who was the first to come."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.handshakes: dict[object, Ready] = {}
        self.pages: dict[object, Told] = {}
        self.latest: NameAnswer | None = None
        self.timer: asyncio.TimerHandle | None = None


class NameDesk:
    """The desk of one worker. All methods are called on its event loop."""

    def __init__(self, selector: Selector, loop: asyncio.AbstractEventLoop) -> None:
        self._want: Want | None = None
        self._selector = selector
        self._loop = loop
        self._inquiries: dict[str, _Inquiry] = {}
        self._waiting = 0
        self._answers: OrderedDict[str, tuple[NameAnswer, float]] = OrderedDict()
        self._held: OrderedDict[str, float] = OrderedDict()

    def __repr__(self) -> str:
        return f"<NameDesk {len(self._held)} held, {len(self._inquiries)} asked about, {self._waiting} waiting>"

    # -- visitors -----------------------------------------------------------------------------------------------------

    def is_known(self, server_name: str) -> bool:
        """Whether a handshake for this name may take its course at once."""
        until = self._held.get(server_name)
        if until is not None and until <= self._loop.time() and self._want is not None:
            self._let_go(server_name)
        elif until is not None:
            self._held.move_to_end(server_name)
        return not server_name or self._selector.find(server_name) is not None

    def await_certificate(self, server_name: str, client: str, ready: Ready) -> None:
        """`ready` is called once, now or later: then there is a certificate, or waiting longer is of no use."""
        name = server_name.rstrip(".")
        inquiry = self._inquiry(name, client)
        if inquiry is None or not self._has_room(len(inquiry.handshakes)):
            ready()
            return
        key = object()
        inquiry.handshakes[key] = ready
        self._waiting += 1
        self._loop.call_later(HANDSHAKE_PATIENCE, partial(self._give_up, name, key))

    def look_up(self, name: str, client: str, told: Told) -> None:
        """`told` is called once, now or soon, with what is known about a name; None: it can be served by https."""
        if self.is_known(name):
            told(None)
            return
        inquiry = self._inquiry(name, client)
        answer = inquiry.latest if inquiry is not None else self._answer_about(name)
        if answer is not None or inquiry is None or not self._has_room(len(inquiry.pages)):
            told(answer or NameAnswer(name, "refused", 0.0))
            return
        key = object()
        inquiry.pages[key] = told
        self._waiting += 1
        self._loop.call_later(PAGE_PATIENCE, partial(self._show_pending, name, key))

    def _inquiry(self, name: str, client: str) -> _Inquiry | None:
        """The inquiry about a name, begun if need be; None when nothing can be asked or the answer is known."""
        inquiry = self._inquiries.get(name)
        if inquiry is not None:
            return inquiry
        if len(self._inquiries) >= MOST_NAMES or not _PLAUSIBLE(name) or self._answer_about(name):
            return None
        inquiry = self._inquiries[name] = _Inquiry(client)
        inquiry.timer = self._loop.call_later(INQUIRY_LIFETIME, self._close, name)
        if self._want is not None:
            self._want(name, client)
        return inquiry

    def _has_room(self, waiting_for_it: int) -> bool:
        return self._waiting < MOST_WAITING and waiting_for_it < MOST_WAITING_FOR_ONE

    def _answer_about(self, name: str) -> NameAnswer | None:
        known = self._answers.get(name)
        if known is None:
            return None
        if known[1] <= self._loop.time():
            del self._answers[name]
            return None
        return known[0]

    def _give_up(self, name: str, key: object) -> None:
        inquiry = self._inquiries.get(name)
        ready = inquiry.handshakes.pop(key, None) if inquiry is not None else None
        if ready is not None:
            self._waiting -= 1
            ready()

    def _show_pending(self, name: str, key: object) -> None:
        inquiry = self._inquiries.get(name)
        told = inquiry.pages.pop(key, None) if inquiry is not None else None
        if told is not None:
            self._waiting -= 1
            told(NameAnswer(name, "pending", PAGE_PATIENCE))

    # -- the keeper ---------------------------------------------------------------------------------------------------

    def offered(self, certified_key: CertifiedKey) -> None:
        """A certificate for a name that somebody waits for, or in place of one that is held; others are not taken."""
        (name, *_) = certified_key.names
        if name not in self._inquiries and name not in self._held:
            return
        try:
            self._selector.replace(certified_key)
        except CertificateError as problem:
            log.error("certificate refused", certificate=repr(certified_key), problem=str(problem))
        else:
            self._hold(name)
        self._close(name)

    def answered(self, answer: NameAnswer) -> None:
        """There is no certificate, or none yet."""
        inquiry = self._inquiries.get(answer.name)
        if answer.verdict != "pending":
            self._remember(answer)
            self._close(answer.name)
        elif inquiry is not None:
            inquiry.latest = answer
            pages, inquiry.pages = inquiry.pages, {}
            self._waiting -= len(pages)
            for told in pages.values():
                told(answer)

    def use_keeper(self, want: Want | None) -> None:
        """Ask this keeper; None: there is none for the moment. What is held goes on being served, and whoever waits goes on
        waiting: the next one is asked the same."""
        self._want = want
        if want is not None:
            for name, inquiry in list(self._inquiries.items()):
                want(name, inquiry.client)

    def release(self) -> None:
        """Nobody is kept waiting any longer."""
        for name in list(self._inquiries):
            self._close(name)

    def _close(self, name: str) -> None:
        """End an inquiry: everybody goes on with what is there now."""
        inquiry = self._inquiries.pop(name, None)
        if inquiry is None:
            return
        if inquiry.timer is not None:
            inquiry.timer.cancel()
        self._waiting -= len(inquiry.handshakes) + len(inquiry.pages)
        answer = None if name in self._held else self._answer_about(name) or NameAnswer(name, "pending", PAGE_PATIENCE)
        for told in inquiry.pages.values():
            told(answer)
        for ready in inquiry.handshakes.values():
            ready()

    def _remember(self, answer: NameAnswer) -> None:
        self._answers.pop(answer.name, None)
        self._answers[answer.name] = (answer, self._loop.time() + answer.seconds)
        if len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)

    # -- what is held -------------------------------------------------------------------------------------------------

    def _hold(self, name: str) -> None:
        self._answers.pop(name, None)
        self._held[name] = self._loop.time() + HOLD_SECONDS
        self._held.move_to_end(name)
        if len(self._held) > MOST_HELD:
            self._let_go(next(iter(self._held)))

    def _let_go(self, name: str) -> None:
        del self._held[name]
        self._selector.drop((name,))

    def listed(self, names: tuple[str, ...]) -> None:
        """These names are the configuration's from now on."""
        for name in names:
            self._held.pop(name, None)
