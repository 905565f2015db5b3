"""Running sites that several tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.recording_origin import RecordingOrigin
from tests.certificates import make_certified_key

NAMES = ("a.test", "a", "b.test", "::1")


@pytest.fixture(scope="module")
def origin() -> Iterator[RecordingOrigin]:
    with RecordingOrigin() as running:
        yield running


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags for a certificate of our own that covers NAMES."""
    directory = tmp_path_factory.mktemp("own")
    key = make_certified_key(*NAMES)
    (directory / "chain.pem").write_bytes(key.chain)
    (directory / "key.pem").write_bytes(key.key)
    return ["--cert", str(directory / "chain.pem"), "--key", str(directory / "key.pem")]


@pytest.fixture(scope="module", params=["h2", "ngh2"])
def engine(request: pytest.FixtureRequest) -> str:
    """Both HTTP/2 engines."""
    name: str = request.param
    return name


def domains() -> list[str]:
    """Flags for NAMES."""
    return [flag for name in NAMES for flag in ("--domain", name)]


def site_flags(origin: RecordingOrigin, own_certificate: list[str]) -> list[str]:
    """A site of NAMES before `origin`."""
    return [*domains(), *own_certificate, "--upstream", f"127.0.0.1:{origin.port}"]


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin, own_certificate: list[str]
) -> Iterator[EdgeProcess]:
    """NAMES before the recording origin."""
    with EdgeProcess(tmp_path_factory.mktemp("site"), *site_flags(origin, own_certificate)) as running:
        yield running


@pytest.fixture(scope="module")
def site_with(
    tmp_path_factory: pytest.TempPathFactory, origin: RecordingOrigin, own_certificate: list[str], engine: str
) -> Iterator[EdgeProcess]:
    """The same with each of the two HTTP/2 engines."""
    flags = [*site_flags(origin, own_certificate), "--http2-engine", engine]
    with EdgeProcess(tmp_path_factory.mktemp(engine), *flags) as running:
        yield running
