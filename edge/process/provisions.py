"""What the supervisor sees to before a generation exists, because nobody below it can or would say so in time: a storage
directory that the keeper can use, and a log file that workers may append to after they have become another user.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from edge.errors import StartError
from edge.process.privileges import Account, acting_as
from edge.storage.atomic import make_directories
from edge.telemetry.access_log import OFF, STANDARD_OUTPUT
from edge.telemetry.destination import MODE, open_file

_ANOTHER_STORAGE: Final = "or keep the state elsewhere: --storage DIR"


def provide_storage(directory: str) -> None:
    """See that the storage directory is there and ours.

    A disk that is full or mounted read-only is no reason not to start: what is on it can still be served.
    Raises: StartError when there can be no state at all.
    """
    path = Path(directory)
    try:
        make_directories(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(
            f"the storage directory {directory} cannot be made: {reason}",
            f"make it and give it to the user that runs edge: mkdir -p {directory}",
            _ANOTHER_STORAGE,
        ) from error
    can_read = os.access(path, os.R_OK | os.X_OK, effective_ids=True)
    can_write = os.access(path, os.W_OK, effective_ids=True) or bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    if not (can_read and can_write):
        raise StartError(
            f"the storage directory {directory} belongs to another user",
            "start edge as that user, or give the directory away: chown -R",
            _ANOTHER_STORAGE,
        )


def provide_access_log(where: str, account: Account | None) -> None:
    """See that workers can append to the access log, who run as `account` (None: as we do). Called again when it was rotated.

    Raises: StartError.
    """
    if where in (OFF, STANDARD_OUTPUT):
        return
    try:
        if account is not None:
            _create_for(where, account)
        with acting_as(account):
            open_file(where).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        who = account.name if account is not None else "this user"
        raise StartError(
            f"the access log {where} cannot be written by {who}: {reason}",
            f"let them pass the directories above it, and give them the file: chown {who} {where}",
        ) from error


def provide_cache(directory: str, account: Account | None) -> None:
    """See that workers, who run as `account`, can keep responses in `directory`; "" is memory and needs nothing.

    Raises: StartError.
    """
    if not directory:
        return
    path = Path(directory)
    try:
        if not path.exists():
            make_directories(path)
            if account is not None:
                os.chown(path, account.uid, account.gid)
        with acting_as(account):
            usable = path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)
        problem = "" if usable else "permission denied" if path.is_dir() else "not a directory"
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
    if problem:
        who = account.name if account is not None else "this user"
        raise StartError(
            f"responses cannot be kept in {directory} by {who}: {problem}",
            f"let them pass the directories above it, and give them this one: chown {who} {directory}",
        )


def _create_for(where: str, account: Account) -> None:
    """Only a file that we have just made changes hands: what stands there already may be a link that somebody laid for root."""
    try:
        descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    except FileExistsError:
        return
    try:
        os.fchown(descriptor, account.uid, account.gid)
    finally:
        os.close(descriptor)
