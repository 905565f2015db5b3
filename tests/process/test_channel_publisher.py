"""The keeper's publisher over channels to workers that this test plays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edge.certs.publisher import HTTP01
from edge.config.maintenance import MaintenanceNotice
from edge.config.schema import Config, Listen, Site
from edge.errors import CertificateError
from edge.process.channel import Channel, new_pair
from edge.process.channel_publisher import ChannelPublisher
from edge.process.messages import (
    Acknowledged,
    CleanUpChallenge,
    DropCertificate,
    KeeperToWorker,
    Maintain,
    PresentChallenge,
    ServeCertificate,
    Served,
    SnapshotComplete,
)
from edge.telemetry.traffic import Traffic
from edge.tls.certified_key import CertifiedKey

CONFIG = Config((Site(("a.test",)),), "/s")
ANSWER = HTTP01("a.test", "token", "authorization")


def key(serial: str, *names: str) -> CertifiedKey:
    return CertifiedKey(names, b"chain", b"key", serial, 0.0)


class PlayedWorker:
    """The worker's end of a link."""

    def __init__(self, publisher: ChannelPublisher, number: int) -> None:
        end, other = new_pair()
        self.channel: Channel[Any, Any] = Channel(end, KeeperToWorker)
        publisher.add_link(number, other)

    def heard(self) -> list[Any]:
        return [message for message, _ in self.channel.receive()]

    def serials(self) -> list[str]:
        return [each.certified_key.serial for each in self.heard() if isinstance(each, ServeCertificate)]

    def acknowledge(self) -> None:
        for message in self.heard():
            if isinstance(message, PresentChallenge):
                self.channel.send(Acknowledged(message.number))


class Stage:
    """A publisher and the workers linked to it."""

    def __init__(self, timeout: float) -> None:
        self.publisher = ChannelPublisher(asyncio.get_running_loop(), CONFIG, timeout)
        self.workers: list[PlayedWorker] = []

    def join(self) -> PlayedWorker:
        self.workers.append(PlayedWorker(self.publisher, len(self.workers)))
        return self.workers[-1]

    async def begin_present(self) -> asyncio.Task[None]:
        """`present`, as far as it gets before it waits."""
        presenting = asyncio.create_task(self.publisher.present(ANSWER))
        await asyncio.sleep(0)
        return presenting


def play(scene: Callable[[Stage], Awaitable[None]], timeout: float = 20.0) -> None:
    async def run() -> None:
        stage = Stage(timeout)
        await scene(stage)
        stage.publisher.close()
        for worker in stage.workers:
            worker.channel.close()

    asyncio.run(run())


def test_a_snapshot_is_everything_and_then_its_end() -> None:
    """A worker that joins hears the latest certificate per name, what is being answered, and that this is all."""

    async def scene(stage: Stage) -> None:
        stage.publisher.replace(key("1", "a.test"))
        stage.publisher.replace(key("2", "b.test"))
        stage.publisher.replace(key("3", "a.test"))
        stage.publisher.loaded()
        presenting = await stage.begin_present()
        *certificates, challenge, maintain, end = stage.join().heard()
        assert [each.certified_key.serial for each in certificates] == ["2", "3"]
        assert challenge.answer == ANSWER
        assert maintain == Maintain(None)
        assert end == SnapshotComplete()
        presenting.cancel()

    play(scene)


def test_the_snapshot_ends_only_when_everything_is_loaded() -> None:
    """A worker that joins early hears what is known, and the end of it when the keeper has read its disk."""

    async def scene(stage: Stage) -> None:
        worker = stage.join()
        stage.publisher.replace(key("1", "a.test"))
        assert SnapshotComplete() not in worker.heard()
        stage.publisher.loaded()
        assert worker.heard() == [Maintain(None), SnapshotComplete()]

    play(scene)


def test_maintenance_is_part_of_the_snapshot_and_told_when_it_changes() -> None:
    """Also that there is none: the worker may remember what an earlier keeper said."""

    async def scene(stage: Stage) -> None:
        notice = MaintenanceNotice("<p>soon", 5)
        stage.publisher.maintain(notice)
        stage.publisher.loaded()
        early = stage.join()
        assert early.heard() == [Maintain(notice), SnapshotComplete()]
        stage.publisher.maintain(None)
        assert early.heard() == [Maintain(None)]
        assert stage.join().heard() == [Maintain(None), SnapshotComplete()]

    play(scene)


def test_a_certificate_for_more_names_replaces_those_it_covers() -> None:
    """What is wholly replaced is not sent to later workers; what still serves a name of its own is."""

    async def scene(stage: Stage) -> None:
        stage.publisher.replace(key("1", "a.test"))
        stage.publisher.replace(key("2", "b.test", "c.test"))
        stage.publisher.replace(key("3", "a.test", "b.test"))
        assert stage.join().serials() == ["2", "3"]

    play(scene)


def test_withdrawn_names_are_told_and_forgotten() -> None:
    """Linked workers hear it, later ones never hear of the certificate."""

    async def scene(stage: Stage) -> None:
        worker = stage.join()
        stage.publisher.replace(key("1", "a.test"))
        stage.publisher.withdraw_certificate(("a.test",))
        assert worker.heard()[-1] == DropCertificate(("a.test",))
        assert stage.join().serials() == []

    play(scene)


def test_present_waits_for_every_worker() -> None:
    """It returns with the last acknowledgement, not with the first."""

    async def scene(stage: Stage) -> None:
        first, second = stage.join(), stage.join()
        presenting = await stage.begin_present()
        first.acknowledge()
        await asyncio.wait((presenting,), timeout=0.01)
        assert not presenting.done()
        second.acknowledge()
        await presenting

    play(scene)


def test_a_worker_that_dies_meanwhile_does_not_count() -> None:
    """Its connections are gone with it, so it cannot give a wrong answer."""

    async def scene(stage: Stage) -> None:
        first, second = stage.join(), stage.join()
        presenting = await stage.begin_present()
        first.acknowledge()
        second.channel.close()
        await presenting

    play(scene)


def test_a_worker_that_joins_meanwhile_is_waited_for() -> None:
    """It hears of the challenge in its snapshot and confirms it like the others."""

    async def scene(stage: Stage) -> None:
        presenting = await stage.begin_present()
        worker = stage.join()
        worker.acknowledge()
        await presenting

    play(scene)


def test_nothing_is_presented_while_held() -> None:
    """During an upgrade workers that are not linked here let visitors in, and the CA would ask one of them."""

    async def scene(stage: Stage) -> None:
        stage.publisher.hold()
        worker = stage.join()
        presenting = await stage.begin_present()
        assert worker.heard() == []
        stage.publisher.release()
        await asyncio.sleep(0)
        worker.acknowledge()
        await presenting

    play(scene)


@pytest.mark.parametrize(("workers", "words"), [(0, "no worker is there"), (2, "2 workers did not confirm")])
def test_silence_is_a_failure(workers: int, words: str) -> None:
    """No acknowledgement in time, or nobody to give one: the CA must not be told to look, and the answer is taken back."""

    async def scene(stage: Stage) -> None:
        played = [stage.join() for _ in range(workers)]
        with pytest.raises(CertificateError, match=words):
            await stage.publisher.present(ANSWER)
        for worker in played:
            challenge, clean_up = worker.heard()
            assert clean_up == CleanUpChallenge(challenge.number)

    play(scene, timeout=0.01)


def test_clean_up_reaches_all_and_later_workers_hear_nothing() -> None:
    """After it no worker gives the answer any more."""

    async def scene(stage: Stage) -> None:
        worker = stage.join()
        presenting = await stage.begin_present()
        [challenge] = worker.heard()
        worker.channel.send(Acknowledged(challenge.number))
        await presenting
        stage.publisher.clean_up(ANSWER)
        assert worker.heard() == [CleanUpChallenge(challenge.number)]
        assert stage.join().heard() == []

    play(scene)


def test_an_acknowledgement_of_nothing_is_ignored() -> None:
    """A worker may confirm what has just been cleaned up, or talk nonsense."""

    async def scene(stage: Stage) -> None:
        worker = stage.join()
        worker.channel.send(Acknowledged(12345))
        presenting = await stage.begin_present()
        worker.acknowledge()
        await presenting

    play(scene)


def test_plain_http_decides_which_challenges_can_be_answered() -> None:
    """Without a plain listener only TLS-ALPN-01 is left."""

    async def scene(stage: Stage) -> None:
        assert stage.publisher.challenge_kinds() == {"http-01", "tls-alpn-01"}
        stage.publisher.config = Config(CONFIG.sites, "/s", listen=Listen(http_port=0))
        assert stage.publisher.challenge_kinds() == {"tls-alpn-01"}

    play(scene)


def test_names_that_leave_together_are_forgotten_one_by_one() -> None:
    """They may have had certificates of their own; one that still serves another name stays."""

    async def scene(stage: Stage) -> None:
        for serial, names in (("1", ("a.test",)), ("2", ("b.test",)), ("3", ("c.test", "d.test"))):
            stage.publisher.replace(key(serial, *names))
        stage.publisher.withdraw_certificate(("a.test", "b.test", "c.test"))
        assert stage.join().serials() == ["3"]

    play(scene)


def test_what_workers_have_served_adds_up_and_never_goes_back() -> None:
    """Reports replace each other; a worker that has ended still counts, but for its connections."""

    async def scene(stage: Stage) -> None:
        one, other = stage.join(), stage.join()
        one.channel.send(Served(Traffic(3, (0, 0, 10, 0, 0, 0))))
        one.channel.send(Served(Traffic(4, (0, 0, 12, 1, 0, 0))))
        other.channel.send(Served(Traffic(1, (0, 0, 5, 0, 0, 0))))
        while stage.publisher.traffic != Traffic(5, (0, 0, 17, 1, 0, 0)):
            await asyncio.sleep(0)
        one.channel.close()
        while stage.publisher.traffic.connections != 1:
            await asyncio.sleep(0)
        assert stage.publisher.traffic == Traffic(1, (0, 0, 17, 1, 0, 0))

    play(scene)
