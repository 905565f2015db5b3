"""Storage in a directory of the local file system: a key is a path below the root.

Every change becomes visible by one rename, after the bytes have reached the disk: a temporary name beside the final one,
mode, write, fsync, rename, fsync of the directory. A crash leaves at most a temporary name, which holds nothing anybody
reads and is swept when it is an hour old. Temporary names begin with `~`, which no key can contain.

Directories are 0700 and files 0600 whatever the umask. An alias is a symbolic link; values are never read through one that
is the last segment. Locks are flock(2) on files that are never deleted: deleting would let two processes hold "the" lock on
two different files, and the kernel frees them when a process dies.

Not guaranteed: locks between hosts on network file systems that do not carry flock; protection from the root user.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import StorageError
from edge.storage.atomic import (
    make_directories,
    make_directory,
    remove,
    sweep,
    sync_directory,
    temporary_beside,
    temporary_name,
    write_file,
)
from edge.storage.contract import Changes
from edge.storage.keys import area_of, check_key, check_segment, is_segment

FORMAT = 1
"""What `VERSION` says. Raised when older code could misread what newer code writes."""

MAX_VALUE = 1024 * 1024
"""Bytes of one value. Chains and keys are a few KiB; a larger file is damage or not ours."""

TEMPORARY_LIFETIME = 3600.0
"""Seconds after which a temporary name can only be the remains of a crash: writing one takes milliseconds."""

_VERSION = re.compile(rb"[0-9]{1,9}\n")

_REMEDIES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "permission denied; the storage must belong to the user that runs edge",
    errno.EPERM: "permission denied; the storage must belong to the user that runs edge",
    errno.ELOOP: "a symbolic link stands where a file should be",
}


class FileSystemStorage:
    """The storage contract on a directory, created when first written to. Safe for several processes on one host."""

    follow_every = 30.0

    def __init__(self, root: Path, *, wall_clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self._wall_clock = wall_clock
        self._writable = False

    def __repr__(self) -> str:
        return f"<FileSystemStorage {self.root}>"

    def is_newer(self) -> bool:
        """Whether a later edge has written here, in a form that this one must not change. Raises: StorageError."""
        version = self.load("VERSION")
        return version is not None and _is_newer(version)

    # -- values --------------------------------------------------------------------------------------------------------

    def load(self, key: str) -> bytes | None:
        """The value, or None when there is none. Raises: StorageError, also for what is no regular file or over `MAX_VALUE`."""
        path = self._path(key)
        with _explained("read", key):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return None
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(
                    descriptor
                )  # its size: a buffer of MAX_VALUE for every value costs more than reading it
                value = file.read(min(status.st_size, MAX_VALUE) + 1) if stat.S_ISREG(status.st_mode) else None
        if value is None or len(value) > MAX_VALUE:
            raise StorageError(f"cannot read {key} in the storage: it is not a file of at most {MAX_VALUE} bytes")
        return value

    def store(self, key: str, value: bytes) -> None:
        """Put or replace one value, atomically and durably."""
        path = self._prepare(key)
        with _explained("write", key):
            _replace(path, value)

    def store_directory(self, key: str, values: Mapping[str, bytes]) -> None:
        """Create directory `key` with these files in one step; it must not exist yet."""
        path = self._prepare(key)
        if os.path.lexists(path):
            raise StorageError(f"cannot write {key} in the storage: it exists already")
        with _explained("write", key), temporary_beside(path) as temporary:
            make_directory(temporary)
            for name, value in values.items():
                write_file(temporary / check_segment(name), value)
            sync_directory(temporary)
            temporary.rename(path)
            sync_directory(path.parent)

    def delete(self, key: str) -> None:
        """Remove a value, an alias (not what it points at), or a directory with all below it."""
        path = self._writable_path(key)
        with _explained("delete", key):
            doomed = temporary_name(path)
            try:
                path.rename(doomed)
            except FileNotFoundError:
                return
            sync_directory(path.parent)
            remove(doomed)

    def list(self, key: str) -> list[str]:
        """Names directly below a directory, sorted; names that are no key segments (temporary ones too) are left out."""
        with _explained("list", key):
            try:
                return sorted(path.name for path in self._path(key).iterdir() if is_segment(path.name))
            except FileNotFoundError:
                return []

    # -- aliases -------------------------------------------------------------------------------------------------------

    def point(self, key: str, target: str) -> None:
        """Make `key` an alias of the directory `target`, a path relative to the directory that holds `key`."""
        path = self._prepare(key)
        if not (path.parent / check_key(target)).is_dir():
            raise StorageError(f"cannot point {key} at {target} in the storage: there is no such directory")
        with _explained("write", key), temporary_beside(path) as temporary:
            temporary.symlink_to(target)
            temporary.replace(path)
            sync_directory(path.parent)

    def resolve(self, key: str) -> str | None:
        """What `point` last said for `key`, or None."""
        with _explained("read", key):
            try:
                return check_key(str(self._path(key).readlink()))
            except (FileNotFoundError, NotADirectoryError):
                return None

    # -- damage --------------------------------------------------------------------------------------------------------

    def quarantine(self, key: str, reason: str) -> None:
        """Move a value or directory to `quarantine/TIME-RANDOM-KEY`, with the reason beside it."""
        source = self._writable_path(key)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._wall_clock()))
        name = f"quarantine/{stamp}-{secrets.token_hex(4)}-{key.replace('/', '-')[-80:]}"
        target = self._prepare(name)
        with _explained("move aside", key):
            try:
                source.rename(target)
            except FileNotFoundError:
                return
            sync_directory(target.parent)
            sync_directory(source.parent)
        with suppress(StorageError):  # the value is safe; its label matters less, and a full disk may refuse it
            self.store(f"{name}.reason", reason.encode())

    # -- locks ---------------------------------------------------------------------------------------------------------

    @contextmanager
    def lock(self, name: str) -> Iterator[FileSystemStorage | None]:
        """Try the exclusive lock `name` (a key). Freed on leaving or when the process dies, and not before: a process that is
        stopped keeps it, so there is nothing to fence."""
        path = self._prepare(f"locks/{check_key(name)}.lock")
        with _explained("lock", name):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield self if _try_flock(descriptor, name) else None
        finally:
            os.close(descriptor)

    # -- changes -------------------------------------------------------------------------------------------------------

    def changes(self, since: object) -> Changes:
        """See `Storage.changes`. Two levels of names and times are compared: every change is a rename in one of them, but for
        what is inside a generation, which never changes."""
        with _explained("look at", str(self.root)):
            present = dict(_times(self.root))
        before = since if isinstance(since, dict) else {}
        areas = (
            key if is_directory else area_of(key)
            for key, (_at, is_directory) in {**before, **present}.items()
            if present.get(key) != before.get(key)
        )
        return Changes(present, frozenset(areas))

    # -- the way to a path ---------------------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _writable_path(self, key: str) -> Path:
        """The path of `key` in a storage that has been found fit for writing."""
        path = self._path(key)
        if not self._writable:
            self._open_for_writing()
        return path

    def _prepare(self, key: str) -> Path:
        """The path of `key`, with the directories above it present."""
        path = self._writable_path(key)
        with _explained("write", key):
            make_directories(path.parent)
        return path

    def _open_for_writing(self) -> None:
        with _explained("use", str(self.root)):
            make_directories(self.root)
            self._claim_root()
        version = self.load("VERSION")
        if version is not None and _is_newer(version):
            raise StorageError(
                f"the storage {self.root} was written by a newer edge (VERSION is not {FORMAT} or less):"
                " upgrade edge, or choose another --storage"
            )
        with _explained("use", str(self.root)):
            if version is None:
                _replace(self.root / "VERSION", b"%d\n" % FORMAT)
            sweep(self.root, self._wall_clock() - TEMPORARY_LIFETIME)
        self._writable = True

    def _claim_root(self) -> None:
        """Make sure that only we can look into the root, without closing somebody else's directory to them."""
        status = self.root.stat()
        if status.st_uid != os.geteuid() and os.geteuid() != 0:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if not stat.S_IMODE(status.st_mode) & 0o077:
            return
        contents = {path.name for path in self.root.iterdir()} - {"lost+found"}
        if contents and "VERSION" not in contents:
            raise StorageError(
                f"{self.root} is open to other users and holds other files: choose an empty directory for --storage"
            )
        self.root.chmod(0o700)


def _is_newer(version: bytes) -> bool:
    return not _VERSION.fullmatch(version) or int(version) > FORMAT


def _times(root: Path) -> Iterator[tuple[str, tuple[int, bool]]]:
    """When each name in the two upper levels was last changed, and whether it is a directory."""
    for upper in _scan(root):
        status = upper.stat(follow_symlinks=False)
        is_directory = stat.S_ISDIR(status.st_mode)
        yield upper.name, (status.st_mtime_ns, False)
        for lower in _scan(Path(upper.path)) if is_directory else ():
            status = lower.stat(follow_symlinks=False)
            yield f"{upper.name}/{lower.name}", (status.st_mtime_ns, stat.S_ISDIR(status.st_mode))


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if is_segment(entry.name) and entry.name != "locks"]
    except FileNotFoundError:
        return []


@contextmanager
def _explained(doing: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        remedy = _REMEDIES.get(exc.errno or 0) or exc.strerror or type(exc).__name__
        raise StorageError(f"cannot {doing} {key} in the storage: {remedy}") from exc


def _replace(path: Path, value: bytes) -> None:
    with temporary_beside(path) as temporary:
        write_file(temporary, value)
        temporary.replace(path)
        sync_directory(path.parent)


def _try_flock(descriptor: int, name: str) -> bool:
    with _explained("lock", name):
        os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
