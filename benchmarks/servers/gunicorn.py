"""The example Django site under gunicorn, as its own documentation would have it: threads, so that connections are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.servers.recipe import Recipe
from benchmarks.servers.running import REPOSITORY

SITE = REPOSITORY / "examples" / "django_site"


def gunicorn_recipe(port: int, state: Path) -> Recipe:
    """gunicorn with one worker of four threads: it shares its core with the server in front of it."""
    flags = ("--chdir", str(SITE), "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4")
    command = (sys.executable, "-m", "gunicorn", *flags, "--log-level", "warning", "site_project.wsgi")
    return Recipe(("env", f"SITE_STATE={state}", *command))


def prepare_site(state: Path) -> None:
    """Make the site's database and collect its files."""
    state.mkdir(parents=True)
    environment = {**os.environ, "SITE_STATE": str(state)}
    for command in (["migrate", "--verbosity", "0"], ["collectstatic", "--noinput", "--verbosity", "0"]):
        manage = [sys.executable, str(SITE / "manage.py"), *command]
        subprocess.run(manage, check=True, env=environment, timeout=60)
