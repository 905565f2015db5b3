"""The shell of the keeper: it runs the certificate manager and connects it to the workers.

The supervisor may start it again at any time, so nothing here is worth saving; the manager's state is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from edge.config.schema import Config
from edge.process.channel import Channel
from edge.process.channel_on_loop import ChannelOnLoop
from edge.process.channel_publisher import ChannelPublisher
from edge.process.desk import Desk
from edge.process.event_loop import new_event_loop
from edge.process.maintenance import INTERVAL, MaintenanceWatch
from edge.process.messages import Alive, Certified, Configure, Drain, Ready, Release, ToKeeper, ToSupervisor, WorkerLink
from edge.process.metrics_page import MetricsPage
from edge.process.purge import PurgeWatch
from edge.process.service import Parts
from edge.process.spawn import settle_child
from edge.storage.opening import open_storage
from edge.telemetry.logs import get_logger

STOP_TIMEOUT: Final = 8.0
"""Longer than any issuer takes to close (5 s); what does not end by then is resumed from disk by the next start."""

log = get_logger("process")


def run_keeper(
    config: Config,
    supervisor: socket.socket,
    links: Mapping[int, socket.socket],
    parts: Parts,
    parent: int,
    beat: float = 0.0,
    *,
    held: bool = False,
) -> int:
    """The whole life of a keeper process; the exit status. `links` lead to the workers that live already. `beat`: seconds
    between two signs of life, 0.0 for none. `held`: present no challenge before the supervisor says so.

    Raises: EdgeError when the manager cannot work.
    """
    settle_child(parent, None)
    loop = new_event_loop("asyncio")
    loop.run_until_complete(_keep(config, supervisor, links, parts, beat, held=held))
    return 0


async def _keep(
    config: Config,
    supervisor: socket.socket,
    links: Mapping[int, socket.socket],
    parts: Parts,
    beat: float,
    *,
    held: bool,
) -> None:
    loop = asyncio.get_running_loop()
    publisher = ChannelPublisher(loop, config)
    if held:
        publisher.hold()
    for worker, sock in links.items():
        publisher.add_link(worker, sock)
    keeper = Keeper(config, publisher, supervisor, parts)
    loop.add_signal_handler(signal.SIGTERM, keeper.stop)
    if beat:
        keeper.beat(beat)
    await keeper.run()
    publisher.close()


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Loading 10,000 certificates makes a million objects that stay: looking through them again and again for garbage would
    take a third of the time, and later every collection would find them alive once more."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Keeper:
    """Connects one manager to the supervisor; `run` lasts until somebody says `stop`. Made on the running loop."""

    def __init__(self, config: Config, publisher: ChannelPublisher, supervisor: socket.socket, parts: Parts) -> None:
        self._config = config
        self._publisher = publisher
        self._parts = parts
        self._manager = parts.make_manager(config, publisher)
        self._started = False
        self._stopped = asyncio.Event()
        self._certified = False
        self._maintenance = MaintenanceWatch(lambda: self._config.storage, publisher.maintain)
        self._purges = PurgeWatch(lambda: self._config.storage, publisher.purge)
        self._metrics = MetricsPage(self._metrics_text, lambda: self._config.metrics)
        self._beside: list[asyncio.Task[None]] = []
        self._desk = Desk(open_storage(config.storage), self._manager.perform)
        channel: Channel[ToKeeper, ToSupervisor] = Channel(supervisor, ToKeeper, attachments=True)
        loop = asyncio.get_running_loop()
        self._supervisor = ChannelOnLoop(loop, channel, self._supervisor_said, self.stop)

    def stop(self) -> None:
        """Make `run` end soon."""
        self._stopped.set()

    def beat(self, seconds: float) -> None:
        """Tell the supervisor, now and every so often, that this loop turns."""
        self._supervisor.send(Alive())
        asyncio.get_running_loop().call_later(seconds, self.beat, seconds)

    async def run(self) -> None:
        """Start the manager, say so, wait for the end, stop the manager. Raises: EdgeError when it cannot start."""
        start = asyncio.create_task(self._start())
        stopped = asyncio.create_task(self._stopped.wait())
        beside = [asyncio.create_task(each) for each in (self._watch(), self._desk.run(), self._metrics.run())]
        await asyncio.wait((start, stopped), return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()  # raises what went wrong
            await stopped
        else:
            start.cancel()
        for task in (*beside, *self._beside):
            task.cancel()
        await self._stop_manager()

    async def _watch(self) -> None:
        """What an operator says while we run is written into the storage."""
        while True:
            await asyncio.sleep(INTERVAL)
            self._maintenance.look()
            self._purges.look()

    async def _start(self) -> None:
        born_with = self._config
        self._maintenance.look()
        self._purges.look()
        with _collector_at_rest():
            await self._manager.start()
        self._started = True
        if self._config is not born_with:  # a reload came in between
            self._manager.reconfigure(self._config)
        self._publisher.wanted = self._manager.want
        self._publisher.loaded()
        self._beside.append(asyncio.create_task(self._watch_notices()))
        self._supervisor.send(Ready())
        # A turn later, so that the line that reports a certificate comes before what follows from it.
        self._publisher.replaced = partial(asyncio.get_running_loop().call_soon, self._tell_when_certified)
        self._tell_when_certified()

    def _tell_when_certified(self) -> None:
        """Once: the supervisor wants to know for a person who waits."""
        if not self._certified and self._publisher.is_certified:
            self._certified = True
            self._supervisor.send(Certified())

    async def _watch_notices(self) -> None:
        """Begins when everything on disk is loaded: what is not there yet must not look missing."""
        from edge.process.notices import new_watch  # noqa: PLC0415  # a supervisor, and what it forks, needs none of it

        await new_watch(self._manager.statuses, lambda: self._config).run()

    def _metrics_text(self) -> str:
        from edge.process.exposition import exposition  # noqa: PLC0415  # as above

        return exposition(self._manager.statuses(), self._manager.events(), self._publisher.traffic)

    async def _stop_manager(self) -> None:
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._manager.stop()
        except TimeoutError:
            log.warning("certificate manager did not stop in time", seconds=STOP_TIMEOUT)

    def _supervisor_said(self, message: ToKeeper, attachment: socket.socket | None) -> None:
        match message:
            case WorkerLink(worker) if attachment is not None:
                self._publisher.add_link(worker, attachment)
            case Configure(config):
                self._configure(config)
            case Release():
                self._publisher.release()
            case Drain():
                self.stop()

    def _configure(self, config: Config) -> None:
        self._config = config
        self._publisher.config = config
        self._metrics.reconfigure()
        self._parts.configure_logs(config)
        if self._started:
            self._manager.reconfigure(config)
