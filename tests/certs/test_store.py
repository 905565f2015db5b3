"""Generations of a certificate on storage."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certs.issuer import ErrorClass, RenewalInfo
from edge.certs.state import CertificateState, LastError, format_state, parse_state
from edge.certs.store import CertificateStore
from edge.errors import CertificateError, StorageError
from tests.certs.fakes import MemoryStorage, fail_on
from tests.certs.material import DAY, stored
from tests.certs.virtual_time import START

NAMES = ("example.com",)
FIRST, SECOND = stored(), stored(now=START + 60 * DAY)


def store_with(*items: object) -> tuple[CertificateStore, MemoryStorage]:
    storage = MemoryStorage()
    store = CertificateStore(storage, "x", NAMES)
    for item in items:
        store.save(item)  # type: ignore[arg-type]  # only Stored values are passed
    return store, storage


def test_what_is_saved_is_loaded() -> None:
    """With key, chain, facts and issuer."""
    store, _ = store_with(FIRST, SECOND)
    assert store.load() == SECOND
    assert store.generations() == [SECOND.generation, FIRST.generation]


def test_saving_twice_changes_nothing() -> None:
    """A save that failed halfway is repeated as a whole."""
    store, storage = store_with(FIRST)
    before = dict(storage.files)
    store.save(FIRST)
    assert storage.files == before


@pytest.mark.parametrize("operation", ["store_directory", "point", "load", "list", "resolve"])
def test_a_failed_save_leaves_the_old_generation_in_service(operation: str) -> None:
    """And can be repeated."""
    store, storage = store_with(FIRST)
    storage.before = fail_on(operation)
    if operation != "resolve":  # saving never asks what is current
        with pytest.raises(StorageError):
            store.save(SECOND)
        storage.before = lambda _operation, _key: None
        assert store.load() == FIRST
    storage.before = lambda _operation, _key: None
    store.save(SECOND)
    assert store.load() == SECOND


def test_a_generation_that_reads_back_wrong_is_never_pointed_at() -> None:
    """A disk that lies is found out before the working pair is left."""
    store, storage = store_with(FIRST)

    def corrupt(operation: str, key: str) -> None:
        if operation == "store_directory":
            storage.files[f"{key}/privkey.pem"] = b"lost in the controller"

    storage.after = corrupt
    with pytest.raises(StorageError, match="read back wrong"):
        store.save(SECOND)
    storage.after = lambda _operation, _key: None
    assert store.load() == FIRST
    assert storage.quarantined
    store.save(SECOND)
    assert store.load() == SECOND


@pytest.mark.parametrize("file", ["privkey.pem", "fullchain.pem"])
def test_a_damaged_generation_is_put_aside_and_the_one_before_is_used(file: str) -> None:
    """Newest first, whatever `current` says."""
    store, storage = store_with(FIRST, SECOND)
    storage.files[f"certs/x/gen/{SECOND.generation}/{file}"] = FIRST.key[:50]
    assert store.load() == FIRST
    assert list(storage.quarantined) == [f"certs/x/gen/{SECOND.generation}"]


def test_a_key_of_another_certificate_is_damage() -> None:
    """Each file alone is fine; together they are not."""
    store, storage = store_with(FIRST)
    storage.files[f"certs/x/gen/{FIRST.generation}/privkey.pem"] = SECOND.key
    assert store.load() is None


def test_a_certificate_for_other_names_is_not_used() -> None:
    """Somebody copied directories around."""
    _, storage = store_with(FIRST)
    assert CertificateStore(storage, "x", ("other.example.com",)).load() is None


@pytest.mark.parametrize("target", ["../../accounts", "gen/../x", "", "gen/gone"])
def test_a_pointer_that_makes_no_sense_is_ignored(target: str) -> None:
    """The newest generation is used."""
    store, storage = store_with(FIRST, SECOND)
    storage.links["certs/x/current"] = target
    assert store.load() == SECOND


def test_a_lost_meta_file_costs_only_the_issuer() -> None:
    """A pair that works is served."""
    store, storage = store_with(FIRST)
    storage.files[f"certs/x/gen/{FIRST.generation}/meta.json"] = b"{"
    loaded = store.load()
    assert loaded
    assert (loaded.key, loaded.issuer) == (FIRST.key, "")


def test_three_generations_are_kept() -> None:
    """Also when the clock went back and the current one is not the newest."""
    items = [stored(now=START + day * DAY) for day in (0, 10, 20, 30, 5)]
    store, storage = store_with(*items)
    assert store.load() == items[-1]
    assert len(storage.list("certs/x/gen")) == 3


STATES = st.builds(
    CertificateState,
    names=st.tuples(st.text(max_size=20)),
    failures=st.integers(0, 10**6),
    next_attempt=st.floats(0, 1e11),
    last_error=st.none() | st.builds(LastError, st.floats(0, 1e11), st.sampled_from(ErrorClass), st.text(), st.text()),
    issued=st.lists(st.floats(0, 1e11), max_size=3).map(tuple),
    window=st.none() | st.builds(RenewalInfo, st.floats(0, 1e11), st.floats(0, 1e11)),
)


@given(STATES)
def test_state_survives_the_disk(state: CertificateState) -> None:
    """Every value, bit for bit."""
    assert parse_state(format_state(state)) == state


@given(st.binary(max_size=200))
def test_bytes_are_a_state_or_refused(data: bytes) -> None:
    """Nothing third."""
    with contextlib.suppress(CertificateError):
        assert isinstance(parse_state(data), CertificateState)


def test_a_damaged_state_is_put_aside() -> None:
    """And forgotten: one early attempt is all it costs."""
    store, storage = store_with(FIRST)
    store.store_state(CertificateState(failures=3))
    assert store.load_state().failures == 3
    storage.files["certs/x/state.json"] = b'{"failures": "many"}'
    assert store.load_state() == CertificateState()
    assert "certs/x/state.json" in storage.quarantined
