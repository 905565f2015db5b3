"""How a command asks the running keeper for something: letters in the storage, as with maintenance mode.

    requests/ID.json    written by the command, taken away by the keeper that carries it out
    answers/ID.json     written by that keeper, taken away by the command

No socket and no signal: whoever may write the storage directory owns the keys in it anyway, nobody else can, and the same
works when the storage is a server that several machines share. The lock `keeper` tells whether a keeper is there to read.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec
from msgspec import Struct

from edge.certs.requests import Answer, Request
from edge.errors import StorageError
from edge.storage.contract import Storage

KEEPER_LOCK: Final = "keeper"

REQUESTS: Final = "requests"
ANSWERS: Final = "answers"

STALE: Final = 60.0
"""Seconds after which a request is not carried out any more: whoever asked has been told that nobody answered."""

FORGOTTEN: Final = 3600.0
"""Seconds after which an answer is removed that nobody has fetched."""


class Letter(Struct, frozen=True):
    """A request, and the POSIX time at which it was made."""

    at: float
    request: Request


class Reply(Struct, frozen=True):
    """An answer, and the POSIX time at which it was given."""

    at: float
    answer: Answer


# -- the command's side -----------------------------------------------------------------------------------------------


@contextmanager
def keeper_absent(storage: Storage) -> Iterator[bool]:
    """Enter to learn whether no keeper runs. Raises: StorageError."""
    with storage.lock(KEEPER_LOCK) as got:
        yield bool(got)


def leave_request(storage: Storage, request: Request) -> str:
    """Put a request where the keeper looks; the id for `fetch_answer` and `take_back`. Raises: StorageError."""
    number = f"{int(time.time())}-{secrets.token_hex(8)}"
    storage.store(f"{REQUESTS}/{number}.json", msgspec.json.encode(Letter(time.time(), request)))
    return number


def is_taken(storage: Storage, number: str) -> bool:
    """Whether a keeper works on the request. Raises: StorageError."""
    return f"{number}.json" not in storage.list(REQUESTS)


def take_back(storage: Storage, number: str) -> None:
    """Ask no longer. Raises: StorageError."""
    storage.delete(f"{REQUESTS}/{number}.json")


def fetch_answer(storage: Storage, number: str) -> Answer | None:
    """The answer, once; None while there is none. Raises: StorageError."""
    value = storage.load(f"{ANSWERS}/{number}.json")
    if value is None:
        return None
    storage.delete(f"{ANSWERS}/{number}.json")
    try:
        return _reply_decoder.decode(value).answer
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StorageError("the keeper's answer cannot be read; edge certs shows what has become of it") from error


# -- the keeper's side ------------------------------------------------------------------------------------------------

_letter_decoder = msgspec.json.Decoder(Letter)
_reply_decoder = msgspec.json.Decoder(Reply)


def take_requests(storage: Storage, now: float) -> list[tuple[str, Request]]:
    """Requests that nobody else carries out from now on, oldest first. Raises: StorageError."""
    if not storage.list(REQUESTS):
        return []
    with storage.lock(REQUESTS) as got:  # several nodes may look at the same moment
        return list(_take_all(storage, now)) if got else []


def _take_all(storage: Storage, now: float) -> Iterator[tuple[str, Request]]:
    for name in storage.list(REQUESTS):
        value = storage.load(f"{REQUESTS}/{name}") or b""
        storage.delete(f"{REQUESTS}/{name}")
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            letter = _letter_decoder.decode(value)
            if abs(now - letter.at) < STALE:
                yield name.removesuffix(".json"), letter.request


def give_answer(storage: Storage, number: str, answer: Answer, now: float) -> None:
    """Tell whoever asked. Raises: StorageError."""
    storage.store(f"{ANSWERS}/{number}.json", msgspec.json.encode(Reply(now, answer)))
    for name in storage.list(ANSWERS):
        begun = name.partition("-")[0]
        if begun.isdecimal() and int(begun) < now - FORGOTTEN:
            storage.delete(f"{ANSWERS}/{name}")
