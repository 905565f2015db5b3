"""Visitors, workers and an application that do things in any order."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.purge import Purge
from edge.config.schema import Caching
from edge.handlers.cache.index import taken
from edge.http.exchange import Exchange
from edge.http.message import Fields, ResponseHead
from tests.fakes import FakeExchange
from tests.handlers.cache.scenes import FRESH, Scene

SWR: Fields = ((b"cache-control", b"max-age=5, stale-while-revalidate=20, stale-if-error=40"), (b"etag", b'"one"'))
VARY: Fields = (*FRESH, (b"vary", b"accept-language"))

STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 2), st.integers(0, 3)),
    st.tuples(st.just("head"), st.sampled_from((FRESH, SWR, VARY)), st.sampled_from((0, 1, 70_000, 150_000, 400_000))),
    st.tuples(st.just("whole"), st.sampled_from((FRESH, SWR, VARY)), st.sampled_from((0, 1, 70_000, 400_000))),
    st.tuples(st.just("piece"), st.integers(1, 200_000), st.booleans()),
    st.tuples(st.just("fail"), st.sampled_from((304, 304, 500, 502, 200)), st.none()),
    st.tuples(st.just("break"), st.none(), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 20), st.none()),
    st.tuples(st.just("take"), st.integers(0, 20), st.integers(1, 300_000)),
    st.tuples(st.just("time"), st.sampled_from((0.5, 4, 6, 30)), st.none()),
    st.tuples(st.just("purge"), st.none(), st.none()),
    st.tuples(st.just("change"), st.integers(0, 2), st.none()),
    st.tuples(st.just("turn"), st.none(), st.none()),
)  # fmt: skip


class Answering:
    """An answer that the application has begun: `body`, of which `sent` bytes have gone."""

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        self.exchange, self.body, self.sent = exchange, body, 0


class Play:
    """One run of steps."""

    def __init__(self, directory: Path) -> None:
        self.scene = Scene(directory, Caching(max_body=300_000))
        self.workers = [self.scene.cache, self.scene.worker()]
        self.visitors: list[FakeExchange] = []
        self.answering: list[Answering] = []
        self.bodies: set[bytes] = {b""}

    def body(self, size: int) -> bytes:
        """One that nobody has got before."""
        body = (b"%06d" % len(self.bodies)) * (size // 6 + 1)
        self.bodies.add(body[:size])
        return body[:size]

    def step(self, what: str, first: object, second: object) -> None:
        scene = self.scene
        self.forget_unwanted()
        question = scene.application.asked
        match what, first, second:
            case "ask", int(target), int(kind):
                fields = [(b"accept-language", b"de")] * (kind % 2)
                worker = self.workers[kind // 2]
                self.visitors.append(scene.begin(f"/{target}", *fields, cache=worker, capacity=10_000))
            case "head", tuple(fields), int(size) if question:
                answering = Answering(scene.application.take(), self.body(size))
                self.answering.append(answering)
                answering.exchange.send_head(ResponseHead(200, fields, size if size % 4 else None))
            case "whole", tuple(fields), int(size) if question:
                body = self.body(size)
                scene.application.take().respond(ResponseHead(200, fields, size), body)
            case "piece", int(size), _ if self.answering:
                self.send(self.answering[0], size)
            case "fail", int(status), _ if question:
                scene.application.take().respond(ResponseHead(status, (), 0), b"")
            case "break", _, _ if self.answering:
                self.answering.pop(0).exchange.abort("upstream-truncated")
            case "leave", int(number), _ if number < len(self.visitors) and not self.visitors[number].is_over:
                self.visitors[number].go_away()
            case "take", int(number), int(more) if number < len(self.visitors):
                self.visitors[number].take(more)
            case "time", float(seconds) | int(seconds), _:
                scene.pass_time(seconds)
            case "purge", _, _:
                scene.store.purge((Purge(scene.wall),))
            case "change", int(target), _:
                scene.cache.invalidate(f"https://a.test/{target}".encode())
            case "turn", _, _:
                scene.loop.turn()
            case _:
                pass

    def forget_unwanted(self) -> None:
        """What nobody waits for is not answered any further."""
        self.answering = [each for each in self.answering if each.exchange not in self.scene.application.unwanted]

    def send(self, answering: Answering, size: int) -> None:
        """The next bytes, and the end behind the last."""
        piece = answering.body[answering.sent : answering.sent + size]
        answering.sent += len(piece)
        answering.exchange.send_body(piece)
        self.forget_unwanted()
        if answering in self.answering and answering.sent == len(answering.body):
            self.answering.remove(answering)
            answering.exchange.end()

    def finish(self) -> None:
        """Everybody does what is left to do."""
        for _ in range(200):
            for visitor in self.visitors:
                with contextlib.suppress(AssertionError):
                    visitor.take(10**9)
            self.scene.loop.turn()
            self.forget_unwanted()
            while self.answering:
                self.send(self.answering[0], 10**9)
            while self.scene.application.asked:
                self.scene.application.answer(self.body(3))
            if self.scene.loop.is_idle and all(visitor.is_over for visitor in self.visitors):
                return
        raise AssertionError(f"somebody waits for ever: {[each for each in self.visitors if not each.is_over]}")


def open_below(directory: str) -> list[str]:
    """Files there that this process has open, removed ones too."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if path.startswith(directory)]


@given(st.lists(STEPS, min_size=10, max_size=60))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
def test_everybody_gets_a_whole_answer_or_sees_that_it_is_not(steps: list[tuple[str, object, object]]) -> None:
    """Bytes of two answers are never mixed, nobody waits for ever, and nothing is left open."""
    with tempfile.TemporaryDirectory() as directory:
        play = Play(Path(directory))
        for step in steps:
            play.step(*step)
        play.finish()
        for visitor in play.visitors:
            assert visitor.is_over
            if visitor.is_ended:
                assert visitor.body in play.bodies
        scene = play.scene
        assert scene.index.total >= sum(taken(path.stat().st_size) for path in scene.files())
        assert [repr(worker.room) for worker in play.workers] == ["<WaitingRoom 0>"] * 2
        assert len(scene.deadlines) == 0
        assert open_below(directory) == []
