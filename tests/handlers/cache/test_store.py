"""Files of the cache: bounded, whole or not there, and no trouble of a disk is a visitor's."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.schema import CacheStorage, Caching
from edge.handlers.cache.claims import CLAIM_SECONDS, PASS_SECONDS, Claims
from edge.handlers.cache.index import WAYS, CacheIndex, taken
from edge.handlers.cache.record import Response, Signpost, decode_record, encode_record
from edge.handlers.cache.shared import PREFIX, SharedCache
from edge.http.caching import Lifetime
from edge.http.message import ResponseHead
from tests.handlers.cache.scenes import FRESH, LIMIT, Scene

LONG = bytes(range(256)) * 1024


# -- damage -----------------------------------------------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    changed = {
        "empty": b"",
        "cut": data[:-1],
        "longer": data + b"x",
        "flipped": data[:middle] + bytes((data[middle] ^ 1,)) + data[middle + 1 :],
        "zeros": bytes(len(data)),
        "foreign": b"<html>" * 100,
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["empty", "cut", "longer", "flipped", "zeros", "foreign"])
def test_a_damaged_file_is_a_miss_and_goes(tmp_path: Path, how: str) -> None:
    """The visitor gets what the application says now."""
    scene = Scene(tmp_path)
    scene.get()
    (path,) = scene.files()
    damage(path, how)
    again = scene.get(body=b"new")
    assert (again.body, again.cache_verdict) == (b"new", "miss")
    assert scene.get().body == b"new"


@pytest.mark.parametrize("how", ["empty", "cut", "longer", "zeros", "foreign"])
def test_a_damaged_long_body_is_a_miss(tmp_path: Path, how: str) -> None:
    """Its length and its beginning are looked at before a head goes out."""
    scene = Scene(tmp_path)
    scene.get(body=LONG)
    damage(next(path for path in scene.files() if path.stat().st_size == len(LONG)), how)
    assert scene.get(body=LONG[::-1]).body == LONG[::-1]
    assert scene.get().body == LONG[::-1]


def test_damage_in_the_middle_of_a_long_body_is_never_sent(tmp_path: Path) -> None:
    """The exchange is aborted, which the visitor can see."""
    scene = Scene(tmp_path)
    scene.get(body=LONG)
    damage(next(path for path in scene.files() if path.stat().st_size == len(LONG)), "flipped")
    exchange = scene.get()
    assert exchange.abort_reason == "cache-damaged"
    assert LONG.startswith(exchange.body)


def test_files_that_somebody_removed_are_misses(tmp_path: Path) -> None:
    """An operator may empty the directory at any time; long bodies alone, too."""
    scene = Scene(tmp_path)
    scene.get("/short")
    scene.get("/long", body=LONG)
    for path in scene.files():
        if path.stat().st_size in (len(LONG), scene.files()[0].stat().st_size):
            path.unlink()
    assert scene.get("/long", body=b"new").body == b"new"
    assert scene.get("/short").body == b"hello"
    assert scene.get("/short").cache_verdict == "hit"


def test_a_reader_keeps_what_is_removed_meanwhile(tmp_path: Path) -> None:
    """The file stays open from head to end."""
    scene = Scene(tmp_path)
    scene.get(body=LONG)
    slow = scene.begin(capacity=10)
    for path in scene.files():
        path.unlink()
    slow.take(10**9)
    scene.run()
    assert slow.body == LONG


# -- bounds -----------------------------------------------------------------------------------------------------------------


def test_no_more_than_the_limit(tmp_path: Path) -> None:
    """Whatever comes: small, large, of unknown length."""
    scene = Scene(tmp_path)
    for number in range(300):
        body = bytes((number * 7919) % 40_000)
        assert scene.get(f"/{number}", body=body).body == body
        assert scene.index.total <= LIMIT
        assert sum(taken(path.stat().st_size) for path in scene.files()) <= LIMIT
    assert scene.get("/299").cache_verdict == "hit"


def test_what_is_used_stays(tmp_path: Path) -> None:
    """What nobody asks for goes first."""
    scene = Scene(tmp_path)
    for number in range(100):  # what is new counts as used: the hand's first round takes whoever it meets first
        scene.get(f"/before-{number}", body=bytes(10_000))
    scene.get("/used")
    for number in range(400):
        scene.get(f"/{number}", body=bytes(10_000))
        assert scene.get("/used").cache_verdict == "hit"
    assert scene.get("/1").cache_verdict == "miss"


def test_bodies_on_their_way_count(tmp_path: Path) -> None:
    """Room is taken when a long body begins, so that many at a time do not fill a disk."""
    scene = Scene(tmp_path)
    for number in range(10):
        scene.begin(f"/{number}")
    for exchange in list(scene.application.asked):
        exchange.send_head(ResponseHead(200, FRESH, len(LONG)))
        exchange.send_body(LONG[:100_000])
    assert scene.index.total <= LIMIT
    for exchange in scene.application.asked:
        exchange.send_body(LONG[100_000:])
        exchange.end()
    scene.run()
    assert scene.index.total <= LIMIT
    assert scene.on_disk() <= LIMIT


def test_a_response_larger_than_everything_passes(tmp_path: Path) -> None:
    """There is no room for it, whatever else goes."""
    scene = Scene(tmp_path)
    body = bytes(2 * LIMIT)
    assert scene.get(body=body).body == body
    assert scene.on_disk() == 0


# -- trouble ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"hello", LONG])
def test_a_directory_that_is_gone_is_as_if_there_were_no_cache(tmp_path: Path, body: bytes) -> None:
    """Visitors are answered, everybody from the origin."""
    scene = Scene(tmp_path / "missing")
    for _ in range(2):
        exchange = scene.get(body=body)
        assert (exchange.status, exchange.body) == (200, body)
    assert scene.questions == 2


@pytest.mark.parametrize("call", ["posix_fallocate", "write", "open"])
@pytest.mark.parametrize("body", [b"hello", LONG])
def test_a_full_disk_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, body: bytes) -> None:
    """Nothing half written is left, and the visitors have everything."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    scene = Scene(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        visitors = [scene.begin() for _ in range(3)]
        while scene.application.asked:
            scene.application.answer(body)
        scene.run()
        assert [each.body for each in visitors] == [body] * 3
    assert all(path.stat().st_size for path in scene.files())
    assert scene.get(body=body).body == body


@pytest.mark.parametrize("known", [True, False])
def test_a_very_long_body(tmp_path: Path, known: bool) -> None:
    """Room is taken as it comes, and only the first visitor reads along."""
    body = os.urandom(9 * 1024 * 1024)
    scene = Scene(tmp_path, Caching(max_body=len(body)), limit=32 * 1024 * 1024)
    first, second = scene.begin(), scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, len(body) if known else None))
    for start in range(0, len(body), 500_000):
        exchange.send_body(body[start : start + 500_000])
        scene.run()
        assert scene.index.total <= taken(2 * start + 2_000_000)
    assert first.body == body
    assert second.head is None
    exchange.end()
    scene.run()
    assert second.body == body
    assert scene.get().body == body
    assert scene.index.total == sum(taken(path.stat().st_size) for path in scene.files())


def test_a_disk_that_fills_while_a_body_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first visitor gets the rest directly."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    scene = Scene(tmp_path)
    visitor = scene.begin()
    exchange = scene.application.take()
    exchange.send_head(ResponseHead(200, FRESH, None))
    exchange.send_body(LONG[:100_000])
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        exchange.send_body(LONG[100_000:150_000])
    exchange.send_body(LONG[150_000:])
    exchange.end()
    scene.run()
    assert visitor.body == LONG
    assert scene.files() == []


# -- what an earlier run has left ---------------------------------------------------------------------------------------------


def test_a_disk_keeps_responses_over_a_restart(tmp_path: Path) -> None:
    """The first worker enters the files; those that are too many go, temporary ones too."""
    before = Scene(tmp_path)
    for number in range(20):
        before.get(f"/{number}", body=bytes(50_000))
    (tmp_path / "~1234").write_bytes(b"x")
    os.utime(tmp_path / "~1234", (0, 0))
    (tmp_path / "notes.txt").write_text("not ours")
    after = Scene(tmp_path, limit=LIMIT // 4)
    assert [None] * len(list(after.store.leftovers())) == []
    assert after.index.total <= LIMIT // 4
    names = {path.name for path in after.files()}
    assert "~1234" not in names
    assert "notes.txt" in names
    kept = Scene(tmp_path)
    list(kept.store.leftovers())
    assert sum(kept.get(f"/{number}").cache_verdict == "hit" for number in range(20)) == len(names) - 1


def test_only_one_worker_enters_them(tmp_path: Path) -> None:
    """The others find them in the shared index."""
    scene = Scene(tmp_path)
    with scene.index.locked():
        assert scene.index.begin_loading(7)
        assert not scene.index.begin_loading(7)
        assert scene.index.begin_loading(8)


def test_the_directory_in_memory_goes_with_its_last_worker(tmp_path: Path) -> None:
    """Also when earlier workers have gone before; and one that a killed run has left goes at the next start."""
    shared = SharedCache(str(tmp_path))
    one, two = shared.open(CacheStorage()), shared.open(CacheStorage())
    (directory,) = tmp_path.iterdir()
    assert directory.stat().st_mode & 0o777 == 0o700
    one.close()
    assert directory.exists()
    two.close()
    assert not directory.exists()
    abandoned = tmp_path / f"{PREFIX}0"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    os.utime(abandoned, (0, 0))
    SharedCache(str(tmp_path)).open(CacheStorage()).close()
    assert not abandoned.exists()


# -- index and claims -----------------------------------------------------------------------------------------------------------

NAMES = st.integers(1, 40).map(lambda number: number.to_bytes(16, "little"))


@given(st.lists(st.tuples(st.sampled_from(("add", "remove", "has", "evict")), NAMES, st.integers(0, 20_000))))
def test_the_index_is_a_table_with_a_sum(steps: list[tuple[str, bytes, int]]) -> None:
    """Whatever happens to it: what was added is there until it is removed or given up, and sizes add up."""
    index, model = CacheIndex(32), dict[bytes, int]()
    for what, name, size in steps:
        with index.locked():
            match what:
                case "add":
                    loser = index.add(name, size)
                    if loser is not None:
                        assert loser != name
                        del model[loser]
                    model[name] = taken(size)
                case "remove":
                    index.remove(name)
                    model.pop(name, None)
                case "has":
                    assert index.has(name) == (name in model)
                case _:
                    gone = index.evict()
                    assert (gone is None) == (not model)
                    model.pop(gone or b"", None)
        assert index.total == sum(model.values())
        assert len(model) <= 4 * WAYS


def test_claims() -> None:
    """One at a time, given back or old; what is not kept lets everybody pass for a while."""
    claims = Claims(CacheIndex(WAYS))
    name, other = b"n" * 16, b"o" * 16
    assert claims.claim(name, 0)
    assert not claims.claim(name, CLAIM_SECONDS - 1)
    assert claims.claim(other, 0)
    assert claims.claim(name, CLAIM_SECONDS + 1)
    claims.release(name, 10, passes=True)
    assert not claims.is_claimed(name, 10)
    assert claims.passes(name, 9 + PASS_SECONDS)
    assert not claims.passes(name, 11 + PASS_SECONDS)
    assert not claims.passes(other, 10)


def test_a_claim_ends_with_its_process() -> None:
    """A worker that was killed keeps nobody waiting."""
    claims = Claims(CacheIndex(WAYS))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if claims.claim(b"n" * 16, 0) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert not claims.is_claimed(b"n" * 16, 1)
    assert claims.claim(b"n" * 16, 1)


def test_the_lock_is_between_processes() -> None:
    """Of two that claim the same at the same time one is told yes."""
    claims = Claims(CacheIndex(WAYS))
    names = [hashlib.blake2b(b"%d" % number, digest_size=16).digest() for number in range(300)]
    read, write = os.pipe()
    parent_is_done, done = os.pipe()
    pid = os.fork()
    won = bytes(claims.claim(name, 0) for name in names)
    if pid == 0:
        os.write(write, won)
        os.read(parent_is_done, 1)  # whoever is dead claims nothing
        os._exit(0)
    theirs = os.read(read, len(names))
    os.write(done, b"x")
    os.waitpid(pid, 0)
    for end in (read, write, parent_is_done, done):
        os.close(end)
    assert [mine + their for mine, their in zip(won, theirs, strict=True)] == [1] * len(names)


# -- records --------------------------------------------------------------------------------------------------------------------

RESPONSE = Response(b"https://a.test/", b"", "a.test", 200, FRESH, Lifetime(1.0, 60.0), 1.0, 5)


def test_records_come_back() -> None:
    """Both kinds."""
    assert decode_record(encode_record(RESPONSE, b"hello")) == (RESPONSE, b"hello")
    signpost = Signpost.new(b"https://a.test/", (b"accept",), 1.0, "a.test")
    assert decode_record(encode_record(signpost)) == (signpost, b"")


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    """Every byte counts."""
    record = encode_record(RESPONSE, b"hello")
    place = data.draw(st.integers(0, len(record) - 1))
    changed = bytes((record[place] ^ data.draw(st.integers(1, 255)),))
    assert decode_record(record[:place] + changed + record[place + 1 :]) is None
    assert decode_record(record[:place]) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_none(data: bytes) -> None:
    """Nothing third."""
    assert decode_record(data) is None
