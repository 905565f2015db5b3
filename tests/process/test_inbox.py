"""Requests from commands to the keeper: left, taken once, answered, forgotten."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from edge.certs.requests import Answer, ChangeAccount, LookAgain, Reason, Renew, Request, Revoke
from edge.process import inbox
from edge.process.desk import Desk
from edge.process.errands import ask_keeper, tell_keeper
from edge.process.inbox import (
    fetch_answer,
    give_answer,
    is_taken,
    keeper_absent,
    leave_request,
    take_back,
    take_requests,
)
from edge.storage.filesystem import FileSystemStorage

DONE = Answer(True, ("done",))


def _keeper_is_there(directory: str) -> bool:
    with keeper_absent(FileSystemStorage(Path(directory))) as absent:
        return not absent


@pytest.fixture
def storage(tmp_path: Path) -> FileSystemStorage:
    return FileSystemStorage(tmp_path / "storage")


@pytest.mark.parametrize(
    "request_",
    [Renew(("a.test",), force=True), Revoke("a.test", Reason.SUPERSEDED), ChangeAccount("new-key"), LookAgain()],
)
def test_a_request_is_taken_once_and_answered_once(storage: FileSystemStorage, request_: Request) -> None:
    """Whatever it asks for, it arrives as it was made."""
    number = leave_request(storage, request_)
    assert not is_taken(storage, number)
    assert take_requests(storage, time.time()) == [(number, request_)]
    assert is_taken(storage, number)
    assert take_requests(storage, time.time()) == []
    assert fetch_answer(storage, number) is None
    give_answer(storage, number, DONE, time.time())
    assert fetch_answer(storage, number) == DONE
    assert fetch_answer(storage, number) is None


def test_a_request_may_be_taken_back(storage: FileSystemStorage) -> None:
    """By somebody who has waited long enough."""
    take_back(storage, leave_request(storage, LookAgain()))
    assert take_requests(storage, time.time()) == []


def test_stale_and_damaged_requests_are_not_carried_out(storage: FileSystemStorage) -> None:
    """Nobody waits for them any more, or nobody has made them."""
    leave_request(storage, LookAgain())
    assert take_requests(storage, time.time() + inbox.STALE + 1) == []
    for number, damage in enumerate((b"", b"{}", b"\xff", b"[" * 10000)):
        storage.store(f"requests/{number}.json", damage)
    assert take_requests(storage, time.time()) == []
    assert storage.list("requests") == []


def test_answers_that_nobody_fetches_are_forgotten(storage: FileSystemStorage) -> None:
    """An hour later."""
    old = f"{int(time.time() - inbox.FORGOTTEN) - 5}-abc"
    give_answer(storage, old, DONE, time.time())
    assert storage.list("answers") == []
    give_answer(storage, leave_request(storage, LookAgain()), DONE, time.time())
    assert len(storage.list("answers")) == 1


def test_a_desk_carries_out_what_commands_ask(tmp_path: Path) -> None:
    """The command finds the keeper by its lock, waits, and gets the answer; a defect of ours is an answer too."""
    directory = str(tmp_path / "storage")
    asked: list[Request] = []

    async def perform(request: Request) -> Answer:
        asked.append(request)
        if isinstance(request, Renew):
            raise ZeroDivisionError
        return Answer(True, (f"{type(request).__name__} done",))

    async def main() -> None:
        desk = asyncio.create_task(Desk(FileSystemStorage(Path(directory)), perform).run())
        while not await asyncio.to_thread(_keeper_is_there, directory):
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(tell_keeper, directory)
        answer = await asyncio.to_thread(ask_keeper, directory, Renew(("a.test",)), ["/bin/false"])
        assert answer == Answer(False, ("edge met an error of its own; its log has the details",))
        desk.cancel()
        await asyncio.gather(desk, return_exceptions=True)

    asyncio.run(main())
    assert asked == [LookAgain(), Renew(("a.test",))]
    assert not tell_keeper(directory), "nobody is there any more"
