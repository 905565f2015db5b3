"""`edge certs import` as a whole: read with the rights of whoever runs it, write as the owner of the storage, tell the keeper."""

from __future__ import annotations

import time
from pathlib import Path

from edge.certs.importing.caddy import is_caddy, read_caddy
from edge.certs.importing.certbot import is_certbot, read_certbot
from edge.certs.importing.found import Found, read_pair
from edge.certs.importing.take_over import TakeOver
from edge.certs.requests import Answer
from edge.config.schema import Config
from edge.process.errands import open_as_owner, tell_keeper


def import_certificates(config: Config, directory: str, pair: tuple[str, str] | None, *, dry_run: bool) -> Answer:
    """What became of everything that was found in `directory`, or of the pair of files. Raises: StorageError."""
    found = read_pair(*pair) if pair else read_directory(Path(directory))
    with open_as_owner(config.storage) as storage:
        answer = TakeOver(config, storage, dry_run=dry_run, now=time.time()).perform(found)
    if not dry_run and tell_keeper(config.storage):
        return Answer(answer.is_done, (*answer.sentences, "the running edge serves what is new"))
    return answer


def read_directory(directory: Path) -> Found:
    """What another program keeps there."""
    if is_certbot(directory):
        return read_certbot(directory)
    if is_caddy(directory):
        return read_caddy(directory)
    if not directory.is_dir():
        return Found(problems=[f"{directory}: there is no such directory, or this user may not look at it"])
    layouts = "live/ and renewal/ like certbot's, or certificates/ like Caddy's"
    return Found(problems=[f"{directory}: nothing to take over, it has neither {layouts}"])
