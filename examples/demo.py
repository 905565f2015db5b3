"""The demo: an example Django site under gunicorn, and edge in front of it on localhost.

Everything it makes lies below `.cache/demo`. Ctrl-C stops both processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "examples" / "django_site"
STATE = Path(os.environ.get("DEMO_STATE", ROOT / ".cache" / "demo"))
HTTPS_PORT = os.environ.get("DEMO_HTTPS_PORT", "8443")
HTTP_PORT = os.environ.get("DEMO_HTTP_PORT", "8080")


def prepare(environment: dict[str, str]) -> None:
    """Make the site's database, collect its static files, put one media file in place."""
    media = STATE / "site" / "media" / "notes"
    media.mkdir(parents=True, exist_ok=True)
    (media / "hello.txt").write_text("A media file, served by edge straight from disk.\n")
    manage = [sys.executable, str(SITE / "manage.py")]
    for command in (["migrate", "--verbosity", "0"], ["collectstatic", "--noinput", "--verbosity", "0"]):
        subprocess.run([*manage, *command], check=True, env=environment)


def start(environment: dict[str, str]) -> list[subprocess.Popen[bytes]]:
    """Start gunicorn on a unix socket, and edge."""
    socket = STATE / "gunicorn.sock"
    gunicorn = [sys.executable, "-m", "gunicorn", "--chdir", str(SITE), "--bind", f"unix:{socket}"]
    gunicorn += ["--workers", "2", "--threads", "4", "--log-level", "warning", "site_project.wsgi"]
    edge = [sys.executable, "-m", "edge", "--domain", "localhost", "--upstream", f"unix:{socket}"]
    edge += ["--https-port", HTTPS_PORT, "--http-port", HTTP_PORT, "--storage", str(STATE / "edge")]
    edge += ["--static", f"/static={STATE}/site/static", "--static", f"/media={STATE}/site/media"]
    # A session of its own keeps the terminal's Ctrl-C from the children: they are told in order.
    socket.unlink(missing_ok=True)  # of an earlier run
    application = subprocess.Popen(gunicorn, env=environment, start_new_session=True)
    wait_until_there(socket, application)
    return [application, subprocess.Popen(edge, cwd=ROOT, start_new_session=True)]


def wait_until_there(socket: Path, application: subprocess.Popen[bytes]) -> None:
    """Give gunicorn the moment it needs, so that edge's first words are not that nobody listens. It would serve anyway."""
    give_up = time.monotonic() + 10
    while not socket.exists() and application.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)


def introduce() -> None:
    """Say what to try."""
    root = STATE / "edge" / "local-ca" / "root.pem"
    print(
        f"""
  Try:   curl --cacert {root} https://localhost:{HTTPS_PORT}/about-this-request
         curl --cacert {root} https://localhost:{HTTPS_PORT}/media/notes/hello.txt
         curl -i http://localhost:{HTTP_PORT}/
  A browser shows a warning until it trusts {root}.
  Ctrl-C stops everything.
""",
        flush=True,
    )


def stop(processes: list[subprocess.Popen[bytes]]) -> int:
    """Stop edge first, so that what is in flight still has its upstream."""
    status = 0
    for process in reversed(processes):
        if process.poll() is None:
            process.terminate()
        status = max(status, abs(process.wait()))
    return status


def main() -> int:
    """Run until Ctrl-C, SIGTERM, or until one of the two processes ends."""
    STATE.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "SITE_STATE": str(STATE / "site")}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        prepare(environment)
    except subprocess.CalledProcessError as error:
        return error.returncode
    processes = start(environment)
    try:
        introduce()
        while all(process.poll() is None for process in processes):
            time.sleep(0.2)
    except KeyboardInterrupt:
        print("\nstopping", flush=True)
    return stop(processes)


if __name__ == "__main__":
    sys.exit(main())
