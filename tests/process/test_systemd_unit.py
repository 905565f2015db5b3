"""The unit of a configuration: what systemd itself says about it, and what it allows where."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from edge.config.address import parse_upstream
from edge.config.schema import Config, Listen, Log, Site, StaticMount
from edge.errors import StartError
from edge.process.install import unit_files, write_units
from edge.process.systemd_unit import HEADER, Service, quote, service_unit

CONFIG = Config((Site(("a.test",)),), "/var/lib/edge")
COMMAND = ("/bin/true", "run", "--storage", "/var/lib/edge")


def unit(config: Config = CONFIG, *, activated: bool = False) -> str:
    return service_unit(Service(config, COMMAND, "edge", activated))


@pytest.mark.parametrize("user", ["", "www-data"])
@pytest.mark.parametrize("activated", [False, True])
def test_systemd_understands_every_line(tmp_path: Path, user: str, activated: bool) -> None:
    """`systemd-analyze verify` has nothing to say about any of the files."""
    service = Service(msgspec.structs.replace(CONFIG, user=user), COMMAND, "www-data", activated)
    units = unit_files(service)
    write_units(units, tmp_path)
    command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "edge" in line]
    assert ours == []


@pytest.mark.parametrize(("user", "most"), [("", 2.0), ("www-data", 3.5)])
def test_systemd_praises_it(tmp_path: Path, user: str, most: float) -> None:
    """`systemd-analyze security` gives a web server that owns its ports at most so many points of 10 for exposure."""
    write_units({"edge.service": unit(msgspec.structs.replace(CONFIG, user=user))}, tmp_path)
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", str(tmp_path / "edge.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    exposure = re.search(r"Overall exposure level for edge\.service: ([0-9.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) <= most


def test_the_ordinary_user_may_bind_and_nothing_else() -> None:
    """One capability; none when systemd opens the sockets."""
    assert "User=edge\n" in unit()
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in unit()
    assert "AmbientCapabilities=\nCapabilityBoundingSet=\n" in unit(activated=True)


def test_root_keeps_what_becoming_somebody_else_takes() -> None:
    """With --user there is no User= line, and few capabilities."""
    text = unit(msgspec.structs.replace(CONFIG, user="www-data"))
    assert "User=" not in text
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID" in text
    assert "~@privileged" not in text


def test_directories_decide_what_is_hidden() -> None:
    """Homes and temporary directories are hidden unless something in them is served or spoken to."""
    assert "ProtectHome=yes\n" in unit()
    assert "PrivateTmp=yes\n" in unit()
    site = Site(
        ("a.test",), static=(StaticMount("", "/home/me/www"),), upstreams=(parse_upstream("unix:/tmp/app.sock"),)
    )
    text = unit(msgspec.structs.replace(CONFIG, sites=(site,)))
    assert "ProtectHome=read-only\n" in text
    assert "PrivateTmp" not in text


def test_what_is_written_may_be_written() -> None:
    """The storage as systemd's own state directory where it can be, a log beside it."""
    assert "StateDirectory=edge\nStateDirectoryMode=0700\n" in unit()
    text = unit(msgspec.structs.replace(CONFIG, storage="/srv/my state", log=Log("/var/log/edge/access.log")))
    assert 'ReadWritePaths="/srv/my state"\nReadWritePaths=-/var/log/edge\n' in text


def test_a_stop_has_time_to_drain() -> None:
    """systemd kills later than edge would itself."""
    assert "TimeoutStopSec=50\n" in unit()
    assert "TimeoutStopSec=141\n" in unit(msgspec.structs.replace(CONFIG, drain_seconds=120.5))


def test_sockets_are_those_of_the_configuration() -> None:
    """Addresses, ports and purposes; no unit for plain HTTP when it is off."""
    config = msgspec.structs.replace(CONFIG, listen=Listen(("192.0.2.1", "2001:db8::1"), 0, 8443))
    units = unit_files(Service(config, COMMAND, "edge", activated=True))
    assert list(units) == ["edge.service", "edge.socket"]
    assert "ListenStream=192.0.2.1:8443\nListenStream=[2001:db8::1]:8443\n" in units["edge.socket"]
    assert "FileDescriptorName=https\n" in units["edge.socket"]
    assert "Sockets=edge.socket\n" in units["edge.service"]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("--domain", "--domain"),
        ("*.example.com", "*.example.com"),
        ("100%", "100%%"),
        ("$HOME", "$$HOME"),
        ("a b", '"a b"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", "a\\\\b"),
        ("", '""'),
    ],
)
def test_words_of_the_command_line_stay_words(word: str, quoted: str) -> None:
    """Nothing that an operator writes in a flag is an instruction to systemd."""
    assert quote(word) == quoted


# -- writing -----------------------------------------------------------------------------------------------------------


def test_files_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    """All or none; our own are replaced."""
    (tmp_path / "edge.socket").write_text("[Socket]\n")
    units = {"edge.service": f"{HEADER}\nnew\n", "edge.socket": f"{HEADER}\n"}
    with pytest.raises(StartError, match=r"edge\.socket was not made by this command"):
        write_units(units, tmp_path)
    assert not (tmp_path / "edge.service").exists()
    (tmp_path / "edge.socket").write_text(f"{HEADER}\nold\n")
    assert write_units(units, tmp_path) == [str(tmp_path / name) for name in units]
    assert (tmp_path / "edge.service").read_text() == f"{HEADER}\nnew\n"
    assert (tmp_path / "edge.service").stat().st_mode & 0o777 == 0o644


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """One sentence and the remedy."""
    with pytest.raises(StartError, match="no such file") as caught:
        write_units({"edge.service": HEADER}, tmp_path / "missing")
    assert "sudo" in caught.value.hints[0]
