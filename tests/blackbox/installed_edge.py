"""An edge that runs from an installation of its own, which can be upgraded under it as pip does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from edge.errors import StorageError
from edge.process.pid_file import Supervised, read_supervised
from tests.blackbox.asking import is_alive, wait_until
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess

MARKED = Path("handlers", "error_page.py")
SENTENCE = '"static-absent": "There is nothing at this address.'


class Installation:
    """The package in a directory on Python's path, with the metadata that tells its version. The sentence of a missing file names
    the version too, so that a visitor can tell whose code answers."""

    def __init__(self, tmp_path: Path, version: str) -> None:
        self.path = tmp_path / "site-packages"
        self.path.mkdir()
        self.install(version)

    def install(self, version: str) -> None:
        """Put this version in place of the one that is there."""
        for old in self.path.iterdir():
            shutil.rmtree(old)
        package = self.path / "edge"
        # With times and byte code, so that it need not be compiled again; without modules translated to C, which are found by
        # another path than this one.
        shutil.copytree(REPOSITORY / "edge", package, ignore=shutil.ignore_patterns("*.so"))
        metadata = self.path / f"edge-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: edge\nVersion: {version}\n")
        marked = package / MARKED
        text = marked.read_text()
        assert SENTENCE in text
        marked.write_text(text.replace(SENTENCE, f"{SENTENCE} ({version})"))

    def break_module(self, name: str, text: str) -> None:
        """Put `text` at the end of a module of the installed version."""
        with (self.path / "edge" / name).open("a") as file:
            file.write(f"\n{text}\n")

    @property
    def environment(self) -> dict[str, str]:
        """For processes that are to find it, and not the repository they are started in."""
        return {"PYTHONPATH": str(self.path), "PYTHONSAFEPATH": "1"}


class InstalledEdge(EdgeProcess):
    """Runs from an installation. After an upgrade `process` is the one that was replaced, `supervisor` the one in charge."""

    def __init__(self, tmp_path: Path, installation: Installation, *flags: str, workers: int = 2, **env: str) -> None:
        super().__init__(tmp_path, *flags, workers=workers, env={**installation.environment, **env})
        self.installation = installation

    @property
    def supervisor(self) -> Supervised | None:
        """Who says that it serves; None before the first does, and after the last has."""
        try:
            return read_supervised(str(self.storage))
        except StorageError:
            return None

    def wait_version(self, version: str) -> Supervised:
        """Until this version serves."""

        def serves() -> bool:
            return self.supervisor is not None and self.supervisor.version == version

        wait_until(serves, what=f"version {version}")
        assert self.supervisor is not None
        return self.supervisor

    def upgrade(self) -> subprocess.CompletedProcess[str]:
        """`edge upgrade`, run with the version that is installed now."""
        command = [sys.executable, "-m", "edge", "upgrade", "--storage", str(self.storage)]
        environment = {**os.environ, **self.installation.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)

    def stop(self, timeout: float = 40.0) -> int:
        """End the edge in charge, then the one that was started."""
        in_charge = self.supervisor
        if in_charge is not None and in_charge.pid != self.process.pid:
            os.kill(in_charge.pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(in_charge.pid), timeout, "the end of the new edge")
        return super().stop(timeout)
