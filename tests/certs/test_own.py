"""The operator's own certificates."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from structlog.testing import capture_logs

from edge.certs.own import LARGEST_FILE, OwnKeys, load_own
from edge.config.schema import Config, KeyPair, Site
from edge.errors import ConfigError
from tests.certs.material import DAY, issue, new_key
from tests.certs.virtual_time import START, run
from tests.certs.world import MINUTE, World


def write(directory: Path, *names: str, now: float = START) -> KeyPair:
    """A pair on disk, replacing the one before; its times are always new."""
    chain, key = issue(*names, now=now)
    pair = KeyPair(str(directory / "cert.pem"), str(directory / "key.pem"))
    for path, data in ((pair.certificate, chain), (pair.key, key)):
        fresh = Path(path + ".new")
        fresh.write_bytes(data)
        fresh.replace(path)
    return pair


def complaint(pair: KeyPair) -> str:
    with pytest.raises(ConfigError) as caught:
        load_own(pair)
    [sentence] = caught.value.complaints
    return sentence


def test_a_pair_is_served_for_the_names_it_covers(tmp_path: Path) -> None:
    """Of the site's names, not of the certificate's."""
    own = load_own(write(tmp_path, "*.example.com", "example.net"))
    certified = own.for_site(Site(names=("a.example.com", "example.org", "example.net")))
    assert certified
    assert (certified.names, certified.kind) == (("a.example.com", "example.net"), "own")
    assert own.for_site(Site(names=("example.org",))) is None


def test_complaints_name_the_file_and_what_is_wrong(tmp_path: Path) -> None:
    """Missing, unreadable, of another key, encrypted, absurdly large."""
    pair = write(tmp_path, "example.com")
    other = tmp_path / "other.pem"
    assert "No such file" in complaint(KeyPair(str(other), pair.key))
    other.write_bytes(b"hello")
    assert "other.pem: no readable PEM certificate" in complaint(KeyPair(str(other), pair.key))
    assert "other.pem: no readable PEM private key" in complaint(KeyPair(pair.certificate, str(other)))
    key, pem = new_key()
    other.write_bytes(pem)
    assert "is not the key of" in complaint(KeyPair(pair.certificate, str(other)))
    other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    assert "encrypted" in complaint(KeyPair(pair.certificate, str(other)))
    other.write_bytes(b"x" * (LARGEST_FILE + 1))
    assert "larger than" in complaint(KeyPair(str(other), pair.key))


def test_changed_files_are_read_again_and_bad_ones_leave_the_last_good_pair(tmp_path: Path) -> None:
    """A renewal tool replaces one file after the other."""
    pair, keys = write(tmp_path, "example.com"), OwnKeys()
    assert keys.refresh([pair], START)
    assert not keys.refresh([pair], START)
    first = keys.get(pair)
    Path(pair.key).write_bytes(b"half a ke")
    with capture_logs() as logs:
        assert not keys.refresh([pair], START)
        assert not keys.refresh([pair], START)
    assert [entry["event"] for entry in logs] == ["own certificate unusable"]
    assert keys.get(pair) == first
    write(tmp_path, "example.com")
    assert keys.refresh([pair], START)
    assert keys.get(pair) != first


def test_touched_files_with_the_same_content_change_nothing(tmp_path: Path) -> None:
    """Nothing is published again."""
    pair, keys = write(tmp_path, "example.com"), OwnKeys()
    keys.refresh([pair], START)
    os.utime(pair.certificate, (1, 1))
    assert not keys.refresh([pair], START)


def test_expiry_is_announced_daily(tmp_path: Path) -> None:
    """edge cannot renew what it did not order, but it can say so."""
    pair, keys = write(tmp_path, "example.com"), OwnKeys()
    with capture_logs() as logs:
        for now in (START, START + 85 * DAY, START + 85.5 * DAY, START + 91 * DAY):
            keys.refresh([pair], now)
    assert [entry["event"] for entry in logs] == ["own certificate expires soon", "own certificate expired"]


def test_the_manager_serves_own_pairs_and_orders_the_rest(tmp_path: Path) -> None:
    """A name that the pair covers never reaches a CA; a new pair on disk is served within a minute or so."""

    async def main() -> None:
        pair = write(tmp_path, "own.example.com")
        world = World()
        world.config = Config(
            sites=(Site(names=("own.example.com", "rest.example.com"), key_pair=pair),), storage="/nowhere"
        )
        world.new_process()
        await world.start(5)
        assert (world.kind("own.example.com"), world.kind("rest.example.com")) == ("own", "acme")
        assert world.orders == 1
        before = world.publisher.serving["own.example.com"]
        write(tmp_path, "own.example.com")
        await asyncio.sleep(2 * MINUTE)
        assert world.publisher.serving["own.example.com"] != before
        await world.manager.stop()

    run(main())


def test_an_unusable_pair_means_a_placeholder_and_no_order(tmp_path: Path) -> None:
    """The operator said "my own"; a CA is asked for nothing until it is known what the pair covers."""

    async def main() -> None:
        pair = KeyPair(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
        world = World()
        world.config = Config(sites=(Site(names=("example.com",), key_pair=pair),), storage="/nowhere")
        world.new_process()
        await world.start(2 * 3600)
        placeholder = world.publisher.serving["example.com"]
        assert (placeholder.kind, world.orders) == ("placeholder", 0)
        assert placeholder.not_after > world.clock()
        write(tmp_path, "example.com")
        await asyncio.sleep(2 * MINUTE)
        assert (world.kind(), world.orders) == ("own", 0)
        await world.manager.stop()

    run(main())
