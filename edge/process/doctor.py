"""`edge doctor`: the running keeper looks, because ports and account are its own; when none runs, this process does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from edge.certs.doctor.visit import Patient, visit
from edge.certs.issuer import Issuer
from edge.certs.ledger import Ledger
from edge.certs.requests import Answer, Examine
from edge.config.schema import Config
from edge.errors import StartError
from edge.net.listening import ListeningSocket, close_listeners, open_listeners
from edge.process.build import public_issuers
from edge.process.errands import ask_if_running, open_as_owner
from edge.process.stand_in import StandIn
from edge.storage.contract import Storage

CLOSE_TIMEOUT: Final = 5.0
"""Seconds in which issuers have to let go of their threads."""


def examine(config: Config, name: str) -> Answer:
    """A sentence about each thing that an order for `name` needs. Raises: ConfigError, StorageError."""
    answer = ask_if_running(config.storage, Examine(name))
    if answer is not None:
        return answer
    with _listening(config) as (listeners, problem), open_as_owner(config.storage) as storage:
        answer = asyncio.run(_examine(config, name, storage, listeners))
    return Answer(False, (*answer.sentences, problem)) if problem else answer


async def _examine(config: Config, name: str, storage: Storage, listeners: tuple[ListeningSocket, ...]) -> Answer:
    issuers: list[Issuer] = public_issuers(storage, config.acme)
    try:
        patient = Patient.of(name, config)
        return await visit(patient, issuers, StandIn(listeners), storage, Ledger(storage), time.time())
    finally:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await asyncio.gather(*(issuer.close() for issuer in issuers))


@contextmanager
def _listening(config: Config) -> Iterator[tuple[tuple[ListeningSocket, ...], str]]:
    """The listeners that edge would have, or none and a sentence why."""
    try:
        listeners = open_listeners(config.listen)
    except StartError as error:
        yield (), "; ".join([f"problem  ports: {error}", *error.hints[:1]])
        return
    try:
        yield listeners, ""
    finally:
        close_listeners(listeners)
