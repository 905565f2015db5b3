"""Private keys and the account key: which process can reach them, and where they never appear."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from edge.process.landlock import landlock_version
from tests.blackbox.acme_site import acme_edge, wait_issued
from tests.blackbox.asking import ask, ask_plain, is_alive, status_field, wait_until
from tests.blackbox.edge_process import EdgeProcess
from tests.blackbox.installed_edge import Installation, InstalledEdge
from tests.blackbox.load import KeepAliveLoad
from tests.pebble import Pebble

PROBE = """
def _probing(tick):
    import os
    def probe(self, now):
        tick(self, now)
        if not hasattr(self, "probed"):
            self.probed = True
            for path in os.environ["PROBE"].split(":"):
                try:
                    os.open(path, os.O_RDONLY)
                    word = "reached"
                except OSError as refusal:
                    word = refusal.strerror
                os.write(2, f"probe {path} {word}\\n".encode())
    return probe
WorkerService.tick = _probing(WorkerService.tick)
"""
"""At the end of a module: every worker tries to open some files and says what came of it."""


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("confinement", ["auto", "off"])
def test_workers_cannot_reach_the_storage(tmp_path: Path, confinement: str) -> None:
    """Whoever they run as, root included; with `--confinement off` only file modes count."""
    installation = Installation(tmp_path, "1.0.0")
    installation.break_module("process/worker_service.py", PROBE)
    (tmp_path / "www").mkdir()
    storage = tmp_path / "storage"
    storage.mkdir(0o700)
    (storage / "key.pem").write_text("key")
    probes = [storage, storage / "key.pem", Path("/etc/passwd"), tmp_path / "www"]
    flags = ["--static", f"/={tmp_path}/www", "--access-log", "off", "--confinement", confinement]
    with InstalledEdge(tmp_path, installation, *flags, workers=1, PROBE=":".join(map(str, probes))) as edge:
        edge.wait_for(f"probe {tmp_path}/www reached")
        for path in probes[:3]:
            refused = f"probe {path} Permission denied" in edge.output
            assert refused == (confinement == "auto"), edge.output


def test_a_replaced_directory_is_served(tmp_path: Path) -> None:
    """A deployment that puts another directory in place of the one that is served needs to tell nobody."""
    root = tmp_path / "www"
    for name, text in (("www", "old\n"), ("next", "new\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.txt").write_text(text)
    with EdgeProcess(tmp_path, "--static", f"/={root}", "--access-log", "off") as edge:
        assert ask(edge.https_port, target="/file.txt").body == b"old\n"
        root.rename(tmp_path / "old")
        (tmp_path / "next").rename(root)
        wait_until(lambda: ask(edge.https_port, target="/file.txt").body == b"new\n", what="the new directory")


def test_a_link_that_is_turned_is_served_without_a_gap(tmp_path: Path) -> None:
    """`current` moves from one release to the next under load: not one answer is missing."""
    for number in ("1", "2"):
        (tmp_path / "releases" / number).mkdir(parents=True)
        (tmp_path / "releases" / number / "file.txt").write_text(number)
    (tmp_path / "current").symlink_to("releases/1")
    with EdgeProcess(tmp_path, "--static", f"/={tmp_path}/current", "--access-log", "off") as edge:
        with KeepAliveLoad(edge.https_port, "localhost", target="/file.txt") as load:
            load.wait_answered(20)
            (tmp_path / "turned").symlink_to("releases/2")
            (tmp_path / "turned").rename(tmp_path / "current")
            wait_until(lambda: ask(edge.https_port, target="/file.txt").body == b"2", what="the new release")
            load.wait_answered(20)
        assert load.failures == []


def test_processes_that_hold_keys_leave_no_core(tmp_path: Path) -> None:
    """No core file, no looking into their memory for others of the same user, no capability without root."""
    with EdgeProcess(tmp_path) as edge:
        for pid in edge.processes():
            (line,) = [each for each in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in each]
            assert line.split()[4:6] == ["0", "0"]
            assert Path(f"/proc/{pid}").stat().st_uid == 0
        for worker in edge.workers():
            assert status_field(worker, "NoNewPrivs") == ["1"]


def test_secrets_appear_nowhere(tmp_path: Path) -> None:
    """Neither in a log, with debug lines and a reload and a dead keeper in it, nor in arguments, environments, error pages."""
    with Pebble() as pebble:
        edge = acme_edge(tmp_path, pebble, "--domain", "a.test", debug=True)
        with edge:
            wait_issued(edge)
            pages = [ask(edge.https_port, "a.test").body, ask(edge.https_port, "a.test", "/.env").body]
            pages.append(ask_plain(edge.http_port, "a.test", "/.well-known/acme-challenge/unknown").body)
            os.kill(edge.keeper(), signal.SIGKILL)
            edge.wait_for('"certificates loaded"')
            old = edge.workers()
            edge.process.send_signal(signal.SIGHUP)
            edge.wait_for('"serving","generation":2')
            wait_until(lambda: not any(map(is_alive, old)), what="the end of the old workers")
            seen = [edge.output.encode(), edge.access_log.read_bytes(), *pages]
            for pid in edge.processes():
                seen += [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm")]
        needles = _secrets(edge.storage)
        assert len(needles) >= 3
        for text in seen:
            assert not [needle for needle in needles if needle in text]
        assert b"PRIVATE KEY" not in b"".join(seen)


def _secrets(storage: Path) -> list[bytes]:
    """A part from the middle of each private key in the storage, as PEM has it, and the raw number in hexadecimal."""
    found: list[bytes] = []
    for path in storage.rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            pem = path.read_bytes()
            lines = [line for line in pem.splitlines() if line and not line.startswith(b"--")]
            found.append(lines[len(lines) // 2 - 1][-40:])
            key = load_pem_private_key(pem, None)
            raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            found.append(raw.hex()[-80:-40].encode())
    return found
