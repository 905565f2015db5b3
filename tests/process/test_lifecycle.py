"""Start, deaths and stop, with real processes over loopback."""

from __future__ import annotations

import os
import pwd
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.process.running import read_answer, running, sample_config, wait_ended


def test_workers_serve_what_the_keeper_has_published(tmp_path: Path) -> None:
    """When a worker takes its first connection it has a certificate for every name, and the shared TLS context."""
    with running(sample_config(tmp_path, "a.test", "b.test")) as edge:
        answers = edge.workers(2)
        for answer in answers.values():
            assert answer["certificates"] == ["serial-of-a.test", "serial-of-b.test"]
            assert answer["context"] == "base context"
        assert edge.stop() == 0


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    """A worker killed -9 is replaced at once, and the new one has all certificates; the others never stop serving."""
    with running(sample_config(tmp_path)) as edge:
        before = set(edge.workers(2))
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        assert edge.wait_log("process ended unexpectedly", child="worker")["cause"] == "SIGKILL"
        new = edge.ask_until(lambda answer: answer["pid"] not in {victim, *before})
        assert new["certificates"] == ["serial-of-a.test"]


def test_a_new_worker_inherits_as_little_as_the_first(tmp_path: Path) -> None:
    """No descriptor of the supervisor or of a sibling stays open in a worker, whenever it was forked."""
    with running(sample_config(tmp_path)) as edge:
        before = edge.workers(2)
        descriptors = [answer["descriptors"] for answer in before.values()]
        os.kill(edge.keeper(), signal.SIGKILL)
        edge.wait_log("process ended unexpectedly", child="keeper")
        os.kill(min(before), signal.SIGKILL)
        edge.wait_log("process ended unexpectedly", child="worker")
        new = edge.ask_until(lambda answer: answer["pid"] not in before)
        assert new["descriptors"] == descriptors[0] == descriptors[1]


def test_a_killed_keeper_is_replaced_and_introduced(tmp_path: Path) -> None:
    """While the keeper is gone workers serve on; the next one reaches the same workers."""
    with running(sample_config(tmp_path)) as edge:
        workers = set(edge.workers(2))
        keeper = edge.keeper()
        os.kill(keeper, signal.SIGKILL)
        edge.wait_log("process ended unexpectedly", child="keeper")
        assert edge.ask()["pid"] in workers
        assert edge.tell_keeper("present token-1").startswith("done")
        assert edge.keeper() != keeper
        assert {tuple(answer["tokens"]) for answer in edge.workers(2).values()} == {("token-1",)}
        assert set(edge.workers(2)) == workers


def test_answers_of_a_dead_keeper_end_with_the_next_snapshot(tmp_path: Path) -> None:
    """Nobody is left to clean up what a dead keeper presented, so the next keeper's snapshot does."""
    with running(sample_config(tmp_path, workers=1)) as edge:
        assert edge.tell_keeper("present token-1").startswith("done")
        os.kill(edge.keeper(), signal.SIGKILL)
        edge.ask_until(lambda answer: not answer["tokens"])


def test_a_challenge_is_given_by_every_worker_before_present_returns(tmp_path: Path) -> None:
    """Once `present` has returned no worker lacks the answer, not even one that is born afterwards; clean_up reaches all."""
    with running(sample_config(tmp_path, workers=3)) as edge:
        workers = set(edge.workers(3))
        assert edge.tell_keeper("present token-1").startswith("done")
        assert all(answer["tokens"] == ["token-1"] for answer in edge.workers(3).values())
        os.kill(min(workers), signal.SIGKILL)
        assert edge.ask_until(lambda answer: answer["pid"] not in workers)["tokens"] == ["token-1"]
        edge.tell_keeper("clean_up token-1")
        edge.ask_until(lambda answer: not answer["tokens"])


def test_a_worker_that_dies_does_not_hold_a_presentation_up(tmp_path: Path) -> None:
    """`present` waits for a worker that does not confirm, and no longer once that worker is dead."""
    with running(sample_config(tmp_path)) as edge, ThreadPoolExecutor() as pool:
        victim = min(edge.workers(2))
        os.kill(victim, signal.SIGSTOP)
        reply = pool.submit(edge.tell_keeper, "present token-1")
        edge.ask_until(lambda answer: answer["tokens"] == ["token-1"])
        assert not reply.done()
        os.kill(victim, signal.SIGKILL)
        assert reply.result().startswith("done")


def test_a_certificate_that_cannot_be_served_harms_no_other(tmp_path: Path) -> None:
    """A worker that refuses one certificate says so and serves all other names."""
    with running(sample_config(tmp_path, "refused.test", "a.test", workers=1), serves=False) as edge:
        assert "refused.test" in edge.wait_log("certificate refused, the previous one stays")["certificate"]
        edge.wait_log("serving")
        assert edge.ask()["certificates"] == ["serial-of-a.test"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_in_flight_finish(tmp_path: Path, number: signal.Signals) -> None:
    """After SIGTERM or SIGINT nothing is accepted, what is in flight is answered, and the exit status is 0."""
    with running(sample_config(tmp_path)) as edge, edge.connect("/hold") as held:
        edge.workers(2)
        edge.signal(number)
        edge.wait_log("stopping")
        held.sendall(b"!")
        assert read_answer(held)["names"] == ["a.test"]
        assert edge.process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            edge.connect()


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    """A second SIGTERM ends what is in flight instead of waiting for it; the stop is still an orderly one."""
    with running(sample_config(tmp_path, drain_seconds=600.0)) as edge, edge.connect("/hold") as held:
        edge.ask()
        edge.signal(signal.SIGTERM)
        edge.wait_log("stopping")
        edge.signal(signal.SIGTERM)
        assert held.recv(1) == b""
        assert edge.process.wait(20) == 0


def test_what_does_not_finish_is_ended_at_the_drain_deadline(tmp_path: Path) -> None:
    """A request that never ends delays the stop by `drain_seconds` and not longer."""
    with running(sample_config(tmp_path, drain_seconds=0.1)) as edge, edge.connect("/hold") as held:
        edge.ask()
        assert edge.stop() == 0
        assert held.recv(1) == b""


def test_a_worker_that_hangs_is_killed_after_the_deadline(tmp_path: Path) -> None:
    """A worker that no longer runs its loop cannot hold the stop up."""
    with running(sample_config(tmp_path, workers=1, drain_seconds=0.1)) as edge:
        os.kill(edge.ask()["pid"], signal.SIGSTOP)
        assert edge.stop() == 0


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)])
def test_a_signal_to_the_whole_group_drains_too(tmp_path: Path, numbers: tuple[signal.Signals, ...]) -> None:
    """Service managers and terminals signal every process of the group: children drain or leave it to the supervisor."""
    with running(sample_config(tmp_path)) as edge, edge.connect("/hold") as held:
        edge.workers(2)
        for pid in (*edge.children(), edge.process.pid):
            for number in numbers:
                os.kill(pid, number)
        edge.wait_log("stopping")
        held.sendall(b"!")
        assert read_answer(held)["names"] == ["a.test"]
        assert edge.process.wait(20) == 0


def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    """When the supervisor is killed -9 its children drain and end, and the ports are free again."""
    with running(sample_config(tmp_path)) as edge:
        edge.workers(2)
        children = edge.children()
        assert len(children) == 3
        edge.process.kill()
        wait_ended(children)
        with pytest.raises(ConnectionRefusedError):
            edge.connect()


def test_a_service_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    """The supervisor reports what keeps workers from starting, with the hints, and goes on trying until told to stop."""
    with running(sample_config(tmp_path, "cannot-start.test", workers=1), serves=False) as edge:
        problem = edge.wait_log("cannot start")
        assert problem["problem"] == "the sample cannot start"
        assert problem["hints"] == ["take another name"]
        assert edge.wait_log("process cannot start")["again_in_seconds"] == 1.0
        assert edge.wait_log("process cannot start")["again_in_seconds"] == 2.0
        assert edge.stop() == 0


@pytest.mark.parametrize("loop", ["auto", "asyncio", "uvloop"])
def test_either_event_loop_serves_and_drains(tmp_path: Path, loop: str) -> None:
    """`--loop` changes nothing that can be seen from outside."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    with running(msgspec.structs.replace(sample_config(tmp_path, workers=1), loop=loop)) as edge:
        with edge.connect("/hold") as held:
            edge.ask()
            edge.signal(signal.SIGTERM)
            edge.wait_log("stopping")
            held.sendall(b"!")
            assert read_answer(held)["names"] == ["a.test"]
        assert edge.process.wait(20) == 0


def test_log_rotation_reaches_every_worker(tmp_path: Path) -> None:
    """SIGUSR1 makes all workers open their logs anew."""
    with running(sample_config(tmp_path)) as edge:
        edge.workers(2)
        edge.signal(signal.SIGUSR1)
        seen: set[int] = set()

        def all_reopened(answer: dict[str, int]) -> bool:
            if answer["reopened"] == 1:
                seen.add(answer["pid"])
            return len(seen) == 2

        edge.ask_until(all_reopened)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_workers_started_as_root_become_the_configured_user(tmp_path: Path) -> None:
    """Workers run as `user`; the keeper, which owns the private keys, stays who it was."""
    with running(msgspec.structs.replace(sample_config(tmp_path), user="nobody")) as edge:
        answer = edge.ask()
        assert answer["uid"] == pwd.getpwnam("nobody").pw_uid
        assert Path(f"/proc/{edge.keeper()}").stat().st_uid == 0
        assert "NoNewPrivs:\t1" in Path(f"/proc/{answer['pid']}/status").read_text()
        assert edge.stop() == 0
