"""The names that are served on demand, and those that wait to become one.

    unknown ── rules ── memo ── budget for questions ── ask ──┬── no ────────────── refused, remembered
                                                              └── yes ── order ──┬─ served
                                                                                 └─ failed, tried again as any certificate is

A name that has a certificate on disk is served from there and nobody is asked. Its renewal comes when it is due and somebody
wants the name, and only while the answer is still yes. However many workers and visitors want a name, there is one question and
one order. Everything that grows with strangers' inventions is bounded here: names that wait, verdicts, questions, orders,
names in memory.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Coroutine
from typing import Final, TypeAlias

from edge.certs.on_demand.ask import Ask, AskFailed, ask_patiently
from edge.certs.on_demand.budget import Budget
from edge.certs.on_demand.entry import DemandedName
from edge.certs.on_demand.memo import Memo
from edge.certs.on_demand.order_budget import OrderBudget
from edge.certs.on_demand.rules import NameRules
from edge.config.on_demand_schema import OnDemand
from edge.telemetry.logs import get_logger
from edge.tls.name_answer import BUSY_SECONDS, NameAnswer, Reply

MOST_WAITING: Final = 200
"""Names about which somebody is being asked. Each is a task and a connection at most; more are refused for the moment."""

MOST_HELD: Final = 10_000
"""Names in memory, 8 KiB each. The one that was wanted longest ago makes room; its certificate stays on disk."""

MINUTE: Final = 60.0

ASKS_PER_CLIENT: Final = 20
"""Names in a minute that one client can make us ask about: a customer tries a handful, an enumerator thousands."""

UNSURE_SECONDS: Final = 15.0
"""How long a refusal holds when there was no answer: the application may be restarting."""

IDLE_SECONDS: Final = 14 * 86400.0
"""A name that nobody wanted for so long leaves the memory, and its renewal waits until somebody does."""

HOPELESS_SECONDS: Final = 86400.0
"""The same for a name that has no certificate: nobody orders any longer for a domain that never came."""

SWEEP_INTERVAL: Final = 600.0

MakeName: TypeAlias = Callable[[str, str, "NamePool"], DemandedName]
"""Makes the holder of a name of a registrable domain; nothing has been loaded yet."""

log = get_logger("certs")


class NamePool:
    """The pool of one configuration. Made and used on the keeper's event loop."""

    def __init__(
        self,
        settings: OnDemand,
        rules: NameRules,
        ask: Ask,
        orders: OrderBudget,
        make_name: MakeName,
        tidying: Callable[[Container[str]], Coroutine[None, None, None]],
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.orders = orders
        self.now = wall_clock
        self._settings = settings
        self._rules = rules
        self._ask = ask
        self._make_name = make_name
        self._tidying = tidying
        self.clock = asyncio.get_running_loop().time
        self._memo = Memo()
        self._questions = Budget(settings.asks_per_minute, MINUTE, 1)
        self._clients = Budget(ASKS_PER_CLIENT, MINUTE)
        self._names: OrderedDict[str, DemandedName] = OrderedDict()
        self._waiting: dict[str, dict[int, Reply]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_complaint = ""

    def __repr__(self) -> str:
        return f"<NamePool {len(self._names)} names, {len(self._waiting)} waiting, {len(self._memo)} verdicts>"

    # -- what workers want --------------------------------------------------------------------------------------------

    def want(self, name: str, client: str, caller: int, reply: Reply) -> None:
        """A visitor of the worker `caller` came for `name`. `reply` hears the answer, perhaps `pending` before it."""
        held = self._names.get(name)
        if held is not None and held.is_over:
            self._names.pop(name).end()
            held = None
        if held is not None:
            self._names.move_to_end(name)
            held.want(caller, reply)
        elif name in self._waiting:
            self._waiting[name][caller] = reply
        else:
            refusal = self._consider(name, client, caller, reply)
            if refusal is not None:
                reply(refusal)

    def _consider(self, name: str, client: str, caller: int, reply: Reply) -> NameAnswer | None:
        """A name that is not in memory: serve it from disk, begin to ask, or refuse."""
        domain = self._rules.domain_of(name)
        if domain is None:
            return NameAnswer(name, "refused", self._settings.remember_no)
        if self._memo.get(name, self.clock()) is False:
            return NameAnswer(name, "refused", self._memo.lasts(name, self.clock()))
        held = self._make_name(name, domain, self)
        if held.load():
            self._hold(held)
            held.want(caller, reply)
            return None
        if not self._may_ask(client):
            return NameAnswer(name, "refused", BUSY_SECONDS)
        self._waiting[name] = {caller: reply}
        self._keep(self._decide(held))
        return None

    def _may_ask(self, client: str) -> bool:
        now = self.clock()
        if len(self._waiting) >= MOST_WAITING or self._questions.wait("", now) > 0.0:
            return False
        return self._clients.take(network_of(client), now) and self._questions.take("", now)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _decide(self, held: DemandedName) -> None:
        name = held.name
        refused_for: float | None
        try:
            refused_for = None if await self.is_welcome(name) else self._settings.remember_no
        except AskFailed as failure:
            self._complain(name, failure)
            refused_for = UNSURE_SECONDS
        except BaseException:
            del self._waiting[name]
            raise
        replies = self._waiting.pop(name)
        if refused_for is None:
            self._hold(held)
            for caller, reply in replies.items():
                held.want(caller, reply)
            held.begin()
        else:
            for reply in replies.values():
                reply(NameAnswer(name, "refused", refused_for))

    # -- permission ---------------------------------------------------------------------------------------------------

    async def is_welcome(self, name: str) -> bool:
        """The answer of the operator's program, as long as it holds. Raises: AskFailed."""
        verdict = self._memo.get(name, self.clock())
        if verdict is None:
            verdict = await ask_patiently(self._ask, name)
            lasts = self._settings.remember_yes if verdict else self._settings.remember_no
            self._memo.put(name, is_welcome=verdict, until=self.clock() + lasts)
        return verdict

    def _complain(self, name: str, failure: AskFailed) -> None:
        """Say it once, and again when something else is wrong: there may be thousands of names."""
        if str(failure) != self._last_complaint:
            self._last_complaint = str(failure)
            log.error("nobody says which names are welcome", name=name, cause=str(failure), check="[on_demand] ask")

    # -- what is held -------------------------------------------------------------------------------------------------

    def _hold(self, held: DemandedName) -> None:
        self._names[held.name] = held
        if len(self._names) > MOST_HELD:
            self._names.popitem(last=False)[1].end()

    def sweep(self) -> None:
        """Let go of what nobody wants any more."""
        now = self.clock()
        for held in list(self._names.values()):
            if held.idle_since + (IDLE_SECONDS if held.has_certificate else HOPELESS_SECONDS) <= now:
                self._names.pop(held.name).end()

    async def look(self, areas: Container[str]) -> None:
        """Somebody has changed what is stored in these areas."""
        for held in [each for each in self._names.values() if each.area in areas]:
            held.look()
            await asyncio.sleep(0)

    def start(self) -> None:
        """Begin to sweep memory and disk. To be called on the running loop."""
        self._keep(self._sweep_for_ever())
        self._keep(self._tidying(self._names))

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            self.sweep()

    async def close(self) -> None:
        """End everything; orders in flight are resumed from their journals when somebody wants their names again."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        ended = [held.end() for held in self._names.values()]
        self._names.clear()
        await asyncio.gather(*tasks, *(task for task in ended if task is not None), return_exceptions=True)
        await self._ask.close()


def network_of(client: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 host chooses its addresses from."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return ""
    return str(address) if address.version == 4 else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
