"""The supervisor's poll loop: channels, signals and moments, each answered by a plain call. One thread, nothing else.

It is not an asyncio loop on purpose. The supervisor forks, and what a child inherits must be little enough to be closed
completely: one selector, one pair of sockets for signals, and the channels that are watched here.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any

from edge.process.channel import Channel
from edge.process.signals import SignalInbox


class Timer:
    """A call in the future that can be cancelled."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """It will not happen; harmless when it already did."""
        self._call = None

    def fire(self) -> None:
        """Happen now, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Reactor:
    """Waits and calls back."""

    def __init__(self, signalled: Callable[[signal.Signals], None]) -> None:
        self._selector = selectors.DefaultSelector()
        self._signals = SignalInbox()
        self._signalled = signalled
        self._selector.register(self._signals, selectors.EVENT_READ, self._read_signals)
        self._channels: dict[Channel[Any, Any], Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self.closers: list[Callable[[], None]] = []
        """Called by `close`: for descriptors that others hold beside this loop."""

    def watch(self, channel: Channel[Any, Any], readable: Callable[[], None]) -> None:
        """Call `readable` when something can be received; what waits to be sent is sent without a call."""
        self._channels[channel] = readable
        self._selector.register(channel, selectors.EVENT_READ, readable)

    def forget(self, channel: Channel[Any, Any]) -> None:
        """Watch it no longer and close it; harmless when it is not watched."""
        if self._channels.pop(channel, None) is not None:
            self._selector.unregister(channel)
            channel.close()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, after at least `seconds`."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def run_once(self) -> None:
        """Wait for the next event or moment and answer everything that has come."""
        for channel in self._channels:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
            self._selector.modify(channel, wanted, self._channels[channel])
        for key, events in self._selector.select(self._patience()):
            self._answer(key, events)
        self._fire_timers()

    def close(self) -> None:
        """Close every descriptor of this loop: at the end, and in a forked child, to which it does not belong.

        In a child the objects stay alive in the frames below. They are closed here, so that none of them can later close
        a descriptor number that is used again."""
        self._selector.close()
        self._signals.close()
        for channel in self._channels:
            channel.close()
        for close in self.closers:
            close()

    def _answer(self, key: selectors.SelectorKey, events: int) -> None:
        channel = key.fileobj
        if isinstance(channel, Channel):
            if channel not in self._channels:  # forgotten by an answer of this very turn
                return
            if events & selectors.EVENT_WRITE:
                channel.flush()
        if events & selectors.EVENT_READ:
            key.data()

    def _read_signals(self) -> None:
        for number in self._signals.receive():
            self._signalled(number)

    def _patience(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _fire_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2].fire()
