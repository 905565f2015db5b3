"""Several machines behind one name: this node's part in answering challenges for the others.

A CA asks whichever node the network leads it to, from several places at once. So an answer goes to all nodes before the CA is
told to look, as it goes to all workers of one:

    the node that orders   stores it below challenges/NODE/, presents it to its own workers, waits for every live node
    every other node       finds it, presents it to its workers, says so in nodes/NODE

A node is live while it holds the lock nodes/NODE. It becomes live first, looks for answers to give second, and lets its workers
accept third: so whoever stores an answer and then looks who is live misses nobody that a CA can reach. A node that is live and
silent is waited for a while and then left out: a sick one must not keep the others from certificates. What a dead node has left
behind is removed when it has been gone for a minute.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Final, Literal

import msgspec

from edge.certs.publisher import HTTP01, TLSALPN01, ChallengeAnswer, Publisher
from edge.errors import CertificateError, StorageError
from edge.storage.contract import SharedStorage
from edge.telemetry.logs import get_logger
from edge.tls.certified_key import CertifiedKey

PATIENCE: Final = 15.0
"""Seconds to wait for other nodes. Longer than a lease, so that one that has just died is found out."""

LOOK_AGAIN: Final = 0.2
"""Seconds between two looks while waiting."""

TEND_EVERY: Final = 5.0
"""Seconds between two looks at whether the others still take this node for live."""

START_PATIENCE: Final = 1.0

SWEEP_EVERY: Final = 60.0
"""Seconds after which somebody who was gone at the last look, and is gone at this one, is taken for dead."""

log = get_logger("certs")

_decoder: Final = msgspec.json.Decoder(HTTP01 | TLSALPN01)


class Nodes:
    """Implements `Publisher` for all nodes on top of `local`, this node's own. `name` is this node's, new with each process."""

    def __init__(self, storage: SharedStorage, local: Publisher, name: str) -> None:
        self.name = name
        self._storage = storage
        self._local = local
        self._given: Counter[ChallengeAnswer] = Counter()
        self._of_others: dict[str, ChallengeAnswer] = {}
        self._leftovers: set[str] = set()
        self._gone: set[str] = set()
        self._presence = ExitStack()
        self._said: bytes = b""

    def __repr__(self) -> str:
        return f"<Nodes {self.name} answers={len(self._given)}>"

    # -- certificates are everybody's own matter -----------------------------------------------------------------------

    def replace(self, certified_key: CertifiedKey) -> None:
        """See `Publisher.replace`."""
        self._local.replace(certified_key)

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        """See `Publisher.withdraw_certificate`."""
        self._local.withdraw_certificate(names)

    def offer(self, certified_key: CertifiedKey) -> None:
        """See `Publisher.offer`."""
        self._local.offer(certified_key)

    def challenge_kinds(self) -> frozenset[Literal["http-01", "tls-alpn-01"]]:
        """See `Publisher.challenge_kinds`."""
        return self._local.challenge_kinds()

    # -- our answers ---------------------------------------------------------------------------------------------------

    async def present(self, answer: ChallengeAnswer) -> None:
        """Returns once every worker of every live node gives this answer. Raises: CertificateError."""
        try:
            self._storage.store(self._key(answer), msgspec.json.encode(answer))
            await self._give(answer)
            await self._wait_for_others(self._key(answer))
        except StorageError as exc:
            raise CertificateError(f"the other nodes could not be told: {exc}") from exc

    def clean_up(self, answer: ChallengeAnswer) -> None:
        """See `Publisher.clean_up`."""
        self._take_back(answer)
        self._leftovers.add(self._key(answer))
        self._remove_leftovers()

    def _key(self, answer: ChallengeAnswer) -> str:
        slot = answer.server_name if isinstance(answer, TLSALPN01) else f"{answer.name} {answer.token}"
        return f"challenges/{self.name}/{hashlib.sha256(slot.encode()).hexdigest()[:32]}"

    def _remove_leftovers(self) -> None:
        """Answers that nobody needs any more; what a storage that is away keeps is removed later."""
        with suppress(StorageError):
            for key in list(self._leftovers):
                self._storage.delete(key)
                self._leftovers.discard(key)

    async def _wait_for_others(self, key: str) -> None:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + PATIENCE
        while missing := {node for node in self._others() if key not in self._given_by(node)}:
            if loop.time() > give_up_at:
                check = "that node's log; visitors and CAs that come to it get no answer to this challenge"
                log.warning("nodes do not answer the challenge", nodes=", ".join(sorted(missing)), check=check)
                return
            await asyncio.sleep(LOOK_AGAIN)

    def _others(self) -> set[str]:
        """Live nodes but this one."""
        return {name.removeprefix("nodes/") for name in self._storage.held("nodes/")} - {self.name}

    def _given_by(self, node: str) -> frozenset[str]:
        try:
            return msgspec.json.decode(self._storage.load(f"nodes/{node}") or b"[]", type=frozenset[str])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return frozenset()

    # -- answers of others ---------------------------------------------------------------------------------------------

    async def changed(self, areas: frozenset[str]) -> None:
        """Somebody has stored something in these areas. Raises: StorageError."""
        if any(area.partition("/")[0] == "challenges" for area in areas):
            await self._follow()

    async def _follow(self) -> None:
        """Give what others want given, no more and no less, and say so."""
        wanted = self._wanted()
        for key in self._of_others.keys() - wanted.keys():
            self._take_back(self._of_others.pop(key))
        fresh = [(key, answer) for key, answer in wanted.items() if key not in self._of_others]
        await asyncio.gather(*(self._give_for_another(key, answer) for key, answer in fresh))
        self._say(sorted(self._of_others))

    async def _give_for_another(self, key: str, answer: ChallengeAnswer) -> None:
        try:
            await self._give(answer)
        except CertificateError as exc:
            log.warning("challenge of another node not given", cause=str(exc))
        else:
            self._of_others[key] = answer

    def _wanted(self) -> dict[str, ChallengeAnswer]:
        found: dict[str, ChallengeAnswer] = {}
        for node in self._storage.list("challenges"):
            for slot in self._storage.list(f"challenges/{node}") if node != self.name else ():
                key = f"challenges/{node}/{slot}"
                with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # what is no answer is not given
                    value = self._storage.load(key)
                    if value is not None:
                        found[key] = self._of_others.get(key) or _decoder.decode(value)
        return found

    def _say(self, keys: list[str]) -> None:
        said = msgspec.json.encode(keys)
        if said != self._said:
            self._storage.store(f"nodes/{self.name}", said)
            self._said = said

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _give(self, answer: ChallengeAnswer) -> None:
        """Several may want the same answer given: after a crash it is the dead node's and its successor's."""
        self._given[answer] += 1
        try:
            await self._local.present(answer)
        except BaseException:
            self._given[answer] -= 1
            raise

    def _take_back(self, answer: ChallengeAnswer) -> None:
        self._given[answer] -= 1
        if self._given[answer] <= 0:
            del self._given[answer]
            self._local.clean_up(answer)

    # -- who is there --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Be live, and know what is to be answered, before the first visitor comes. Workers that are slow are not waited for:
        they are told before they are told to accept."""
        tending = asyncio.create_task(self._tend_quietly())
        await asyncio.wait([tending], timeout=START_PATIENCE)

    async def _tend_quietly(self) -> None:
        with suppress(StorageError):  # the follower says that the storage is away
            await self._tend()

    async def run(self) -> None:
        """Stay live until cancelled."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + SWEEP_EVERY
        try:
            while True:
                await self._tend_quietly()
                with suppress(StorageError):
                    if loop.time() >= sweep_at:
                        sweep_at = loop.time() + SWEEP_EVERY
                        self._sweep()
                await asyncio.sleep(TEND_EVERY)
        finally:
            self._leave()

    async def _tend(self) -> None:
        """See that the others take this node for live."""
        self._remove_leftovers()
        if f"nodes/{self.name}" in self._storage.held(f"nodes/{self.name}"):
            return
        self._presence.close()
        self._presence.enter_context(self._storage.lock(f"nodes/{self.name}"))
        await self._follow()

    def _sweep(self) -> None:
        known = {*self._storage.list("challenges"), *self._storage.list("nodes")}
        gone = known - self._others() - {self.name}
        for node in gone & self._gone:
            self._storage.delete(f"challenges/{node}")
            self._storage.delete(f"nodes/{node}")
        self._gone = gone

    def _leave(self) -> None:
        with suppress(StorageError):
            self._presence.close()
            self._storage.delete(f"challenges/{self.name}")
            self._storage.delete(f"nodes/{self.name}")
