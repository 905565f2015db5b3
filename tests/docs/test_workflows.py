"""CI runs what the README promises, and the script that obtains a certificate does so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import REPOSITORY, name_of
from tests.pebble.server import Pebble

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
SCRIPT = REPOSITORY / ".github" / "obtain_certificate.py"


def load(path: Path) -> dict[str, Any]:
    """A workflow; YAML 1.1 reads its key `on` as True."""
    document: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of all jobs."""
    for job in load(path)["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_steps_run_what_is_there(path: Path) -> None:
    """A step runs `make` with a target, or a file of the repository with options that it knows."""
    makefile = (REPOSITORY / "Makefile").read_text()
    for step in steps(path):
        if "run" not in step:
            continue
        program, *words = shlex.split(step["run"])
        if program == "make":
            for target in words:
                name = target.replace(".venv", "$(VENV)")
                assert re.search(rf"^{re.escape(name)}:", makefile, re.MULTILINE), target
        elif program == ".venv/bin/python":
            usage = subprocess.run([sys.executable, REPOSITORY / words[0], "--help"], capture_output=True, check=True)
            assert all(word.encode() in usage.stdout for word in words if word.startswith("--"))
        else:
            assert (REPOSITORY / program).stat().st_mode & 0o111, program


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflows_have_few_rights(path: Path) -> None:
    """A workflow may read the repository, leaves no credential behind, and puts no input into a script."""
    assert load(path)["permissions"] == {"contents": "read"}
    for step in steps(path):
        assert "${{" not in step.get("run", "")
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_ci_runs_the_readmes_command_on_every_supported_python() -> None:
    """ci.yml runs `make test`, from the lowest Python that edge claims to run on."""
    job = load(REPOSITORY / ".github" / "workflows" / "ci.yml")["jobs"]["test"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert (REPOSITORY / ".ci" / "run").read_text().rstrip().endswith("make test")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    versions = job["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={versions[0]}"
    assert f"FROM python:{versions[-1]}-slim" in (REPOSITORY / "Dockerfile").read_text()


def test_staging_is_asked_by_hand_only() -> None:
    """The workflow that needs a public name is never started by a push or a pull request, and asks staging by default."""
    trigger = load(REPOSITORY / ".github" / "workflows" / "lets-encrypt-staging.yml")["on"]
    assert set(trigger) == {"workflow_dispatch"}
    assert trigger["workflow_dispatch"]["inputs"]["directory"]["default"] == "letsencrypt-staging"


def test_the_script_obtains_a_certificate() -> None:
    """Against a CA that checks everything, the script of that workflow ends with status 0 and says who issued."""
    with Pebble() as pebble:
        command = [sys.executable, str(SCRIPT), "--domain", "a.test", "--acme-directory", pebble.directory_url]
        command += ["--acme-ca-file", str(pebble.ca_file), "--seconds", "60"]
        command += ["--http-port", str(pebble.http_port), "--https-port", str(pebble.tls_port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a.test: issued by CN=Pebble Intermediate" in done.stdout
