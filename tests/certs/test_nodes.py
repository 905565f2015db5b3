"""Several nodes: challenges answered by all of them, and certificate work that follows what the others have done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest

from edge.certs.follower import Follower
from edge.certs.issuer import ErrorClass
from edge.certs.local_ca import LocalIssuer
from edge.certs.manager import Manager
from edge.certs.nodes import PATIENCE, SWEEP_EVERY, TEND_EVERY, Nodes
from edge.certs.publisher import HTTP01, TLSALPN01, ChallengeAnswer
from edge.errors import CertificateError, StorageError
from edge.storage.filesystem import FileSystemStorage
from edge.storage.leases import LEASE_SECONDS, Leases
from edge.storage.server_storage import ServerStorage
from edge.tls.certified_key import CertifiedKey
from tests.certs.fakes import RecordingPublisher, failure
from tests.certs.virtual_time import run
from tests.certs.world import DAY, MINUTE, World
from tests.storage.memory_server import MemoryDatabase, MemoryServer

ANSWER = HTTP01("a.test", "token", "token.thumbprint")
BY_TLS = TLSALPN01("a.test", b"chain", b"key")


class Workers:
    """Implements `Publisher`: what the workers of one node answer. `is_stuck` lets them never acknowledge."""

    def __init__(self) -> None:
        self.given: list[ChallengeAnswer] = []
        self.is_stuck = False

    def offer(self, certified_key: CertifiedKey) -> None:
        raise AssertionError("no test here offers certificates")

    def replace(self, certified_key: CertifiedKey) -> None:
        """Not of interest here."""

    def withdraw_certificate(self, names: tuple[str, ...]) -> None:
        """Not of interest here."""

    async def present(self, answer: ChallengeAnswer) -> None:
        if self.is_stuck:
            await asyncio.sleep(5.0)
            raise CertificateError("no worker is there to answer the challenge")
        self.given.append(answer)

    def clean_up(self, answer: ChallengeAnswer) -> None:
        self.given = [each for each in self.given if each != answer]  # as ChannelPublisher does: all that are equal

    def challenge_kinds(self) -> frozenset[Literal["http-01", "tls-alpn-01"]]:
        return frozenset({"http-01"})


def node_on(database: MemoryDatabase) -> ServerStorage:
    """A node's storage. Its leases live as long as the test's clock says: nobody extends them behind its back."""
    cut_off = MemoryDatabase()
    cut_off.is_away = True
    server = MemoryServer(database)
    return ServerStorage(server, Leases(server, MemoryServer(cut_off), "node"))


class Node:
    """`Nodes` with its follower."""

    def __init__(self, database: MemoryDatabase, name: str) -> None:
        self.workers = Workers()
        self.storage = node_on(database)
        self.nodes = Nodes(self.storage, self.workers, name)
        self.follower = Follower(self.storage, self.nodes.changed)
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Node:
        self.follower.begin()
        await self.nodes.start()
        self.tasks = [asyncio.create_task(self.nodes.run()), asyncio.create_task(self.follower.run())]
        return self

    async def die(self, *, orderly: bool = False) -> None:
        """An orderly end takes back everything; a crash nothing."""
        if not orderly:
            self.nodes._leave = lambda: None  # type: ignore[method-assign]  # what a process that is killed does
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def start_nodes(database: MemoryDatabase, *names: str) -> list[Node]:
    return [await Node(database, name).start() for name in names]


@pytest.mark.parametrize("answer", [ANSWER, BY_TLS], ids=["http-01", "tls-alpn-01"])
def test_an_answer_is_given_everywhere_before_the_ca_looks(answer: ChallengeAnswer) -> None:
    """`present` returns when all live nodes give it, and `clean_up` ends it everywhere."""

    async def main() -> None:
        database = MemoryDatabase()
        one, two, three = await start_nodes(database, "one", "two", "three")
        await one.nodes.present(answer)
        assert all(node.workers.given == [answer] for node in (one, two, three))
        one.nodes.clean_up(answer)
        assert one.workers.given == []
        await asyncio.sleep(2)
        assert two.workers.given == three.workers.given == []
        for node in (one, two, three):
            await node.die(orderly=True)
        assert not [key for key in database.entries if key.count("/") and not key.startswith("format")]

    run(main())


def test_a_node_that_starts_answers_before_it_is_counted() -> None:
    """What was stored before it came is given when its workers begin to accept."""

    async def main() -> None:
        database = MemoryDatabase()
        (one,) = await start_nodes(database, "one")
        await one.nodes.present(ANSWER)
        late = Node(database, "late")
        await late.nodes.start()
        assert late.workers.given == [ANSWER]
        await one.die(orderly=True)

    run(main())


def test_a_dead_node_is_not_waited_for() -> None:
    """Once its lease has run out; until then it might answer."""

    async def main() -> None:
        database = MemoryDatabase()
        one, two = await start_nodes(database, "one", "two")
        await two.die()
        database.now += LEASE_SECONDS
        await asyncio.sleep(2 * TEND_EVERY)
        before = asyncio.get_running_loop().time()
        await one.nodes.present(ANSWER)
        assert asyncio.get_running_loop().time() == before
        await one.die(orderly=True)

    run(main())


def test_a_sick_node_does_not_keep_the_others_from_certificates() -> None:
    """It is live and its workers do not answer: it is named in the log and left out."""

    async def main() -> None:
        one, two = await start_nodes(MemoryDatabase(), "one", "two")
        two.workers.is_stuck = True
        before = asyncio.get_running_loop().time()
        await one.nodes.present(ANSWER)
        assert PATIENCE <= asyncio.get_running_loop().time() - before < PATIENCE + 1
        for node in (one, two):
            await node.die(orderly=True)

    run(main())


def test_the_successors_answer_outlives_the_dead_nodes() -> None:
    """The same token, stored twice: taking the dead node's away leaves the other."""

    async def main() -> None:
        database = MemoryDatabase()
        dead, heir, other = await start_nodes(database, "dead", "heir", "other")
        await dead.nodes.present(ANSWER)
        await dead.die()
        database.now += LEASE_SECONDS
        await asyncio.sleep(TEND_EVERY)
        await heir.nodes.present(ANSWER)
        await asyncio.sleep(3 * SWEEP_EVERY)
        assert heir.storage.list("challenges") == ["heir"]
        assert ANSWER in heir.workers.given
        assert ANSWER in other.workers.given
        heir.nodes.clean_up(ANSWER)
        await asyncio.sleep(2)
        assert heir.workers.given == other.workers.given == []
        for node in (heir, other):
            await node.die(orderly=True)

    run(main())


def test_a_storage_that_is_away_fails_the_attempt_and_nothing_else() -> None:
    """The answer cannot be told to the others; when the storage is back it is as if nothing had been."""

    async def main() -> None:
        database = MemoryDatabase()
        one, two = await start_nodes(database, "one", "two")
        await one.nodes.present(ANSWER)
        database.is_away = True
        with pytest.raises(CertificateError, match="could not be told"):
            await one.nodes.present(BY_TLS)
        one.nodes.clean_up(ANSWER)
        one.nodes.clean_up(BY_TLS)
        await asyncio.sleep(MINUTE)
        database.is_away = False
        await asyncio.sleep(MINUTE)
        assert one.workers.given == two.workers.given == []
        await one.nodes.present(ANSWER)
        assert two.workers.given == [ANSWER]
        for node in (one, two):
            await node.die(orderly=True)

    run(main())


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"type":"http-01"}', b"\xff"])
def test_what_is_no_answer_is_not_given(value: bytes) -> None:
    """Whoever wrote it."""

    async def main() -> None:
        one, two = await start_nodes(MemoryDatabase(), "one", "two")
        one.storage.store("challenges/one/bad", value)
        one.storage.store("nodes/two", value)
        await one.nodes.present(ANSWER)
        assert two.workers.given == [ANSWER]
        for node in (one, two):
            await node.die(orderly=True)

    run(main())


# -- certificates -----------------------------------------------------------------------------------------------------


class Cluster:
    """Two worlds with one CA, one clock and one database."""

    def __init__(self, follow_every: float) -> None:
        self.database = MemoryDatabase()
        self._follow_every = follow_every
        self.one, self.two = World(), World()
        self.two.clock, self.two.ca, self.two.issuer = self.one.clock, self.one.ca, self.one.issuer
        for world in (self.one, self.two):
            self.restart(world)

    def restart(self, world: World, copies: Path | None = None) -> None:
        """Another process on the same database; nothing runs yet."""
        storage = node_on(self.database)
        storage.follow_every = self._follow_every
        world.publisher = RecordingPublisher(world.clock)
        world.manager = Manager(
            world.config,
            storage,
            world.publisher,
            public=lambda _acme: [world.issuer],
            local=LocalIssuer(storage, world.clock),
            copies=FileSystemStorage(copies) if copies else None,
            wall_clock=world.clock,
        )

    async def stop(self) -> None:
        for world in (self.one, self.two):
            await world.manager.stop()

    def serial(self, world: World) -> str:
        return world.publisher.serving["example.com"].serial


def on_cluster(test: Callable[[Cluster], Awaitable[None]], follow_every: float = 1.0) -> None:
    """Tests that live through months follow more slowly."""

    async def main() -> None:
        cluster = Cluster(follow_every)
        await test(cluster)
        await cluster.stop()

    run(main())


@pytest.mark.usefixtures("coarse")
def test_a_new_certificate_is_served_by_all_within_seconds() -> None:
    """Without an order of their own, also when a renewal comes long after."""

    async def test(cluster: Cluster) -> None:
        await cluster.one.start(5.0)
        await cluster.two.start(5.0)
        assert cluster.serial(cluster.one) == cluster.serial(cluster.two)
        assert cluster.one.orders == 1
        await asyncio.sleep(61 * DAY)
        assert cluster.serial(cluster.one) == cluster.serial(cluster.two)
        assert cluster.one.orders == 2

    on_cluster(test, 600.0)


def test_one_nodes_failure_is_everybodys_pause() -> None:
    """Failed validations are counted by the CA per name, not per node: two nodes fail as often as one."""

    async def test(cluster: Cluster) -> None:
        cluster.one.issuer.always = failure(ErrorClass.VALIDATION)
        await cluster.one.start()
        await cluster.two.start(3600.0)
        assert 4 <= len(cluster.one.issuer.attempts) <= 5
        cluster.one.issuer.always = None
        await asyncio.sleep(3 * 3600.0)
        assert cluster.serial(cluster.one) == cluster.serial(cluster.two)

    on_cluster(test)


def test_one_nodes_rate_limit_is_everybodys() -> None:
    """No other node asks before the CA's time."""

    async def test(cluster: Cluster) -> None:
        until = cluster.one.clock() + 7200.0
        limit = failure(ErrorClass.RATE, until)
        limit.is_shared = True
        cluster.one.issuer.script = [limit]
        await cluster.one.start()
        await cluster.two.start(7100.0)
        assert len(cluster.one.issuer.attempts) == 1
        await asyncio.sleep(600.0)
        assert len(cluster.one.issuer.attempts) == 2

    on_cluster(test)


def test_a_node_that_slept_overwrites_nothing() -> None:
    """It comes back in the middle of its order, with an older certificate to be: the newer one and its state stay."""

    async def test(cluster: Cluster) -> None:
        cluster.one.issuer.seconds = 100.0
        await cluster.one.start(60.0)  # the order is made, and not finished
        cluster.database.now += LEASE_SECONDS + 1
        cluster.two.issuer = type(cluster.one.issuer)(cluster.one.ca, seconds=1.0)
        cluster.restart(cluster.two)
        await cluster.two.start(20.0)
        serial = cluster.serial(cluster.two)
        state = {key: value for key, value in cluster.database.entries.items() if "example.com" in key}
        await asyncio.sleep(200.0)
        assert cluster.serial(cluster.one) == cluster.serial(cluster.two) == serial
        after = {key: value for key, value in cluster.database.entries.items() if "example.com" in key}
        assert after == state
        assert cluster.one.orders == 1

    on_cluster(test)


@pytest.mark.usefixtures("coarse")
def test_a_start_without_the_storage_serves_the_copies(tmp_path: Path) -> None:
    """What this machine served last; what the others have got meanwhile is taken over when the storage is back."""

    async def test(cluster: Cluster) -> None:
        cluster.restart(cluster.one, tmp_path / "copies")
        await cluster.one.start(5.0)
        await cluster.two.start(5.0)
        first = cluster.serial(cluster.one)
        await cluster.one.manager.stop()
        await asyncio.sleep(70 * DAY)
        assert cluster.serial(cluster.two) != first
        cluster.database.is_away = True
        cluster.restart(cluster.one, tmp_path / "copies")
        await cluster.one.start(MINUTE)
        assert cluster.serial(cluster.one) == first
        cluster.database.is_away = False
        await asyncio.sleep(20 * MINUTE)
        assert cluster.serial(cluster.one) == cluster.serial(cluster.two)
        assert cluster.one.orders == 2

    on_cluster(test, 600.0)


@pytest.mark.usefixtures("coarse")
def test_a_storage_that_goes_away_keeps_nobody_from_serving() -> None:
    """Nothing is replaced by a placeholder, nothing is ordered, and the work goes on afterwards."""

    async def test(cluster: Cluster) -> None:
        await cluster.one.start(5.0)
        serial = cluster.serial(cluster.one)
        cluster.database.is_away = True
        await asyncio.sleep(61 * DAY)
        assert cluster.serial(cluster.one) == serial
        assert cluster.one.orders == 1
        cluster.database.is_away = False
        await asyncio.sleep(DAY)
        assert cluster.serial(cluster.one) != serial

    on_cluster(test, 600.0)


def test_a_follower_that_could_not_do_its_work_is_told_again() -> None:
    """A change is not lost because the storage went away while it was being taken over."""

    async def main() -> None:
        database = MemoryDatabase()
        storage = node_on(database)
        told: list[frozenset[str]] = []
        trouble = [StorageError("away"), None]

        async def changed(areas: frozenset[str]) -> None:
            told.append(areas)
            if problem := trouble.pop(0):
                raise problem

        follower = Follower(storage, changed)
        follower.begin()
        storage.store("certs/a/state.json", b"")
        for _ in range(3):
            await follower.look()
        assert told == [{"certs/a", "format"}] * 2

    run(main())
