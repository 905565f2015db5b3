"""What the file system adds to the contract: modes, crashes at any step, full disks, damage, versions."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.errors import StorageError
from edge.storage.atomic import sweep
from edge.storage.filesystem import MAX_VALUE, TEMPORARY_LIFETIME, FileSystemStorage

CALLS = (
    "open",
    "write",
    "fsync",
    "close",
    "fchmod",
    "chmod",
    "mkdir",
    "rename",
    "replace",
    "symlink",
    "unlink",
    "rmdir",
)


class Killed(BaseException):
    """The process is no more: nothing after this reaches the disk."""


@contextmanager
def dying(step: int, *, before: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every file system call from number `step` on (or right after it) raises `Killed`. Yields the calls made."""
    made: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            if len(made) > step or (before and len(made) == step):
                raise Killed
            result = real(*args, **kwargs)
            if len(made) == step:
                raise Killed
            return result

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrap(name, getattr(os, name)))
        yield made


@contextmanager
def failing(step: int, code: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The file system call number `step` fails with this errno, all others work."""
    made: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            if len(made) == step:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            if (
                name != "close"
            ):  # close reports late errors that fsync has reported before; ignoring it is the only option
                patch.setattr(os, name, wrap(name, getattr(os, name)))
        yield made


def prepared(directory: Path) -> FileSystemStorage:
    """A storage in use: one value, one generation with its alias."""
    storage = FileSystemStorage(directory / "storage")
    storage.store("a/value", b"old")
    storage.store_directory("a/gen/1", {"chain": b"1"})
    storage.point("a/current", "gen/1")
    return storage


def change_value(storage: FileSystemStorage) -> None:
    storage.store("a/value", b"new")


def change_generation(storage: FileSystemStorage) -> None:
    storage.store_directory("a/gen/2", {"chain": b"2", "key": b"2"})
    storage.point("a/current", "gen/2")


def remove_generation(storage: FileSystemStorage) -> None:
    storage.delete("a/gen/1")


def assert_old_or_new(storage: FileSystemStorage) -> None:
    assert storage.load("a/value") in (b"old", b"new")
    current = storage.resolve("a/current")
    assert current in ("gen/1", "gen/2")
    for generation in storage.list("a/gen"):
        files = ["chain"] if generation == "1" else ["chain", "key"]
        assert storage.list(f"a/gen/{generation}") == files
        assert {storage.load(f"a/gen/{generation}/{name}") for name in files} == {generation.encode()}


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("change", [change_value, change_generation, remove_generation])
def test_a_crash_at_any_step_leaves_old_or_new(
    tmp_path: Path, change: Callable[[FileSystemStorage], None], before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before or after any file system call, the next process reads the old state or the new one and can go on."""
    for step in range(1, 100):
        directory = tmp_path / str(step)
        directory.mkdir(0o700)
        storage = prepared(directory)
        with dying(step, before=before, monkeypatch=monkeypatch) as made:
            try:
                change(storage)
            except Killed:
                finished = False
            else:
                finished = True
        assert_old_or_new(FileSystemStorage(directory / "storage"))
        change_value(FileSystemStorage(directory / "storage"))
        if finished:
            assert len(made) < step
            return
    pytest.fail("the change never came to its end")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failing_disk_is_a_storage_error_and_leaves_no_litter(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When any single call fails, the caller hears of it, the old value stands, and no temporary name stays."""
    storage = prepared(tmp_path)
    for step in range(1, 100):
        with failing(step, code, monkeypatch) as made:
            try:
                storage.store("a/value", b"new")
            except StorageError as exc:
                complaint = str(exc)
            else:
                assert len(made) < step
                return
        assert "a/value" in complaint
        renamed = "replace" in made[: step - 1]
        assert storage.load("a/value") == (b"new" if renamed else b"old")
        assert not [path for path in (tmp_path / "storage" / "a").iterdir() if path.name.startswith("~")]
        storage.store("a/value", b"old")
    pytest.fail("the change never came to its end")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_can_look(tmp_path: Path, umask: int) -> None:
    """Directories are 0700 and files 0600 whatever the umask."""
    before = os.umask(umask)
    try:
        storage = prepared(tmp_path)
        with storage.lock("certs/a"):
            pass
    finally:
        os.umask(before)
    for path in [tmp_path / "storage", *(tmp_path / "storage").rglob("*")]:
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_empty_directory_is_closed_to_others(tmp_path: Path) -> None:
    """An empty root that somebody made for us (a volume) becomes 0700."""
    root = tmp_path / "storage"
    root.mkdir()
    root.chmod(0o755)
    (root / "lost+found").mkdir()
    FileSystemStorage(root).store("a", b"")
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_directory_full_of_other_things_is_left_alone(tmp_path: Path) -> None:
    """`--storage /tmp` is a mistake: its mode stays, nothing is written."""
    tmp_path.chmod(0o755)
    (tmp_path / "letter.txt").write_text("not ours")
    with pytest.raises(StorageError, match="empty directory"):
        FileSystemStorage(tmp_path).store("a", b"")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("version", [b"2\n", b"9999999999\n", b"", b"x\n", b"-1\n"])
def test_a_newer_storage_is_read_and_not_written(tmp_path: Path, version: bytes) -> None:
    """A storage with a newer or unreadable VERSION still serves; every change is refused with one sentence."""
    prepared(tmp_path)
    (tmp_path / "storage" / "VERSION").write_bytes(version)
    storage = FileSystemStorage(tmp_path / "storage")
    assert storage.load("a/value") == b"old"
    for _ in range(2):
        with pytest.raises(StorageError, match="newer edge"):
            storage.store("a/value", b"new")
    with pytest.raises(StorageError, match="newer edge"), storage.lock("certs/a"):
        pass
    assert storage.load("a/value") == b"old"


def test_links_and_devices_are_not_read(tmp_path: Path) -> None:
    """A value is a regular file of limited size; a link, a pipe or a huge file in its place is an error, and never blocks."""
    storage = prepared(tmp_path)
    root = tmp_path / "storage"
    (root / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    with (root / "huge").open("wb") as file:
        file.truncate(MAX_VALUE + 1)
    (root / "alias").symlink_to("../elsewhere")
    for key in ("link", "pipe", "huge", "a"):
        with pytest.raises(StorageError):
            storage.load(key)
    with pytest.raises(StorageError):
        storage.resolve("alias")
    with pytest.raises(StorageError):
        storage.resolve("a/value")


def test_a_sweep_lets_another_process_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary name that becomes a value between being listed and being looked at is no error."""
    (tmp_path / "~0123").touch()
    lstat = Path.lstat

    def too_late(path: Path) -> os.stat_result:
        path.rename(tmp_path / "value")
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", too_late)
    sweep(tmp_path, float("inf"))
    assert (tmp_path / "value").is_file()


def test_the_remains_of_a_crash_are_swept(tmp_path: Path) -> None:
    """Temporary names older than the lifetime go at the next start; younger ones may belong to a living process."""
    storage = prepared(tmp_path)
    root = tmp_path / "storage"
    (root / "a" / "~0123").mkdir()
    (root / "a" / "~0123" / "key").write_bytes(b"half")
    sweep(root, (root / "a" / "~0123").stat().st_ctime - TEMPORARY_LIFETIME)
    assert (root / "a" / "~0123").exists()
    sweep(root, (root / "a" / "~0123").stat().st_ctime + 1)
    assert not (root / "a" / "~0123").exists()
    assert storage.load("a/value") == b"old"


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    """The kernel frees the lock of a process that was killed; the lock file stays."""
    code = (
        "import sys, pathlib; from edge.storage.filesystem import FileSystemStorage\n"
        "with FileSystemStorage(pathlib.Path(sys.argv[1])).lock('certs/a') as got:\n"
        "    print(got is not None, flush=True); sys.stdin.read()"
    )
    storage = FileSystemStorage(tmp_path / "storage")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(storage.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        with storage.lock("certs/a") as got:
            assert got is None
        holder.kill()
        holder.wait()
        with storage.lock("certs/a") as again:
            assert again is not None
    assert (storage.root / "locks" / "certs" / "a.lock").exists()
