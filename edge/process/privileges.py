"""Who the workers are. The supervisor needs root for ports below 1024, the keeper owns the private keys on disk; the workers,
which read what strangers send, need neither and become an ordinary user before they look at the first byte."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from edge.errors import ConfigError
from edge.process.prctl import forbid_new_privileges, give_up_capabilities


class Account(Struct, frozen=True):
    """A user of this machine, looked up once in the supervisor."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def find_account(user: str) -> Account | None:
    """The account that workers take on, or None when they stay who they are: no user is configured, or this is not root.

    Raises: ConfigError when there is no such user.
    """
    if not user:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        complaint = f"--user {user}: this machine has no such user; create it, or name another (www-data, nobody)"
        raise ConfigError([complaint]) from None
    if os.geteuid() != 0:
        return None
    groups = tuple(os.getgrouplist(user, entry.pw_gid))
    return Account(user, entry.pw_uid, entry.pw_gid, groups)


def owner_of(directory: str) -> Account | None:
    """Who owns a directory, or the nearest one above it that exists; None when that is us, or we are not root."""
    if os.geteuid() != 0:
        return None
    path = next(path for path in (Path(directory), *Path(directory).parents) if path.exists())
    uid = path.stat().st_uid
    if uid == 0:
        return None
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a user of a container
        return Account(str(uid), uid, path.stat().st_gid, (path.stat().st_gid,))
    return Account(entry.pw_name, uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def drop_privileges(account: Account | None) -> None:
    """Become `account` for good; with None only give up the way to more rights. Raises: OSError."""
    if account is not None:
        os.setgroups(account.groups)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    if os.geteuid() != 0:
        with suppress(PermissionError):  # a sandbox may forbid even this
            give_up_capabilities()
    forbid_new_privileges()


@contextmanager
def acting_as(account: Account | None) -> Iterator[None]:
    """Meet the file system as `account` for a moment, then be root again; None changes nothing. For one thread only."""
    if account is None:
        yield
        return
    groups, gid, uid = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups(account.groups)
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)
