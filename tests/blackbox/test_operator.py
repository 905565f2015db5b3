"""What a person sees who starts edge, mistypes something, or asks how the certificates are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.blackbox.acme_site import acme_edge, edge_certs, wait_issued
from tests.blackbox.asking import ask
from tests.blackbox.edge_process import REPOSITORY, EdgeProcess, free_port
from tests.blackbox.terminal import Terminal
from tests.pebble import Pebble


def run_edge(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "edge", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def place(tmp_path: Path) -> list[str]:
    """Flags that keep a run away from this machine's own ports and state."""
    ports = ["--http-port", str(free_port()), "--https-port", str(free_port())]
    return [*ports, "--bind", "127.0.0.1", "--storage", str(tmp_path / "storage")]


# -- the first run -----------------------------------------------------------------------------------------------------


def test_the_first_run_at_a_terminal(tmp_path: Path) -> None:
    """An aligned block that says what is being done, a dead upstream with its remedy, and where the site is."""
    (tmp_path / "files").mkdir()
    upstream = f"127.0.0.1:{free_port()}"
    flags = [*place(tmp_path), "--upstream", upstream, "--static", f"/static={tmp_path}/files"]
    with Terminal(*flags) as terminal:
        terminal.wait_for("Ctrl-C stops.")
        screen = terminal.screen
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.wait_for("stopped")
        assert terminal.process.wait(10) == 0
    http, https = flags[1], flags[3]
    expected = [
        f"· state {tmp_path}/storage",
        f"  ✓ static      /static from {tmp_path}/files",
        f"  ! upstream    {upstream} refused the connection",
        "      fix       start the application",
        f"  ✓ ports       listening on 127.0.0.1:{http} and 127.0.0.1:{https}",
        "  ✓ certificate localhost by local CA, valid until ",
        f"→ https://localhost:{https} is live. http:// redirects there. Ctrl-C stops.",
    ]
    positions = [screen.find(words) for words in expected]
    assert -1 not in positions, screen
    assert positions == sorted(positions), screen
    assert len(screen.splitlines()) <= 14, screen
    assert "{" not in terminal.screen
    assert terminal.is_coloured


def test_a_first_order_at_a_terminal(tmp_path: Path) -> None:
    """One line that it is being asked for, one line that it is there; the second start says what is on disk."""
    with Pebble() as pebble:
        flags = ["--domain", "a.test", "--acme-directory", pebble.directory_url, "--acme-ca-file", str(pebble.ca_file)]
        ports = ["--http-port", str(pebble.http_port), "--https-port", str(pebble.tls_port)]
        flags += [*ports, "--bind", "127.0.0.1", "--storage", str(tmp_path / "storage")]
        ca = urlsplit(pebble.directory_url).netloc
        with Terminal(*flags) as terminal:
            terminal.wait_for("is live.")
        assert terminal.screen.count(f"certificate asking {ca} for a.test") == 1
        assert terminal.screen.count(f"certificate a.test by {ca}, valid until") == 1
        assert terminal.screen.count("  … certificate") == 1
        with Terminal(*flags) as terminal:
            terminal.wait_for("is live.")
        assert "certificate one certificate from disk, next renewal around" in terminal.screen
        assert "asking" not in terminal.screen


def test_a_ca_that_is_away_is_said_at_the_terminal(tmp_path: Path) -> None:
    """What is served meanwhile; nobody is told that the site is live."""
    flags = [*place(tmp_path), "--domain", "a.test", "--acme-directory", f"https://localhost:{free_port()}/dir"]
    with Terminal(*flags) as terminal:
        terminal.wait_for("with a temporary self-signed certificate meanwhile.")
    assert "is live" not in terminal.screen
    assert "Traceback" not in terminal.screen


def test_machines_get_json_lines_that_name_their_process(tmp_path: Path) -> None:
    """Without a terminal every line is one JSON object, and each process says who it is."""
    with EdgeProcess(tmp_path) as edge:
        edge.wait_for('"certificate issued"')
        os.kill(edge.workers()[0], signal.SIGKILL)
        edge.wait_for("ended unexpectedly")
    lines = [json.loads(line) for line in edge.output.splitlines()]
    who = {line["event"]: line["process"] for line in lines}
    assert who["serving"] == "supervisor"
    assert who["process ended unexpectedly"] == "supervisor"
    assert who["certificate issued"] == "keeper"
    assert {line["time"][-1] for line in lines} == {"Z"}


# -- starts that fail --------------------------------------------------------------------------------------------------


def test_a_port_in_use_names_its_holder(tmp_path: Path) -> None:
    """The pid that holds it, what to do, exit status 1."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = run_edge(*place(tmp_path), "--http-port", str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port} is already used by" in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert "--http-port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_edge_is_told_about_the_first(tmp_path: Path) -> None:
    """It does not share the port, and it harms nothing."""
    with EdgeProcess(tmp_path) as edge:
        done = run_edge(*edge.flags)
        assert done.returncode == 1
        assert f"(pid {edge.process.pid})" in done.stderr
        assert ask(edge.https_port).status == 404


def _drop_rights() -> tuple[str, ...]:
    """A prefix that runs a command without the right to low ports."""
    if os.geteuid() != 0:
        return ()
    assert shutil.which("setpriv"), "this test needs setpriv (util-linux)"
    return "setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"


@pytest.mark.skipif(
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip() == "0",
    reason="this machine lets everybody use low ports",
)
def test_a_low_port_without_the_right_to_it(tmp_path: Path) -> None:
    """Both ports in one sentence, four ways out, exit status 1."""
    done = run_edge("--storage", str(tmp_path / "storage"), prefix=_drop_rights())
    assert done.returncode == 1
    assert "cannot listen on :80 and :443: Linux reserves ports below" in done.stderr
    assert "sudo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_storage_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    """Nothing could be kept: no certificate is worth asking for. Exit status 1."""
    done = run_edge(*place(tmp_path), "--storage", "/proc/edge/storage")
    assert done.returncode == 1
    assert "the storage directory /proc/edge/storage cannot be made" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """Each on a line of its own that names the flag; exit status 2."""
    wrong = {
        "--domain": "exa mple",
        "--upstream": "nope:99999",
        "--static": f"/x={tmp_path}/missing",
        "--http-port": "abc",
        "--workers": "-3",
        "--cert": "/missing",
        "--bind": "1.2.3",
        "--acme-directory": "ftp://x",
        "--user": "no-such-user",
    }
    done = run_edge(*[each for flag in wrong.items() for each in flag], "--storage", str(tmp_path / "storage"))
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    for flag in wrong:
        assert [line for line in lines if line.startswith(f"edge: {flag}: ")], done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize("arguments", [["--frobnicate"], ["srve"], ["--https-port"], ["check", "--config", "/missing"]])
def test_usage_errors_never_show_a_traceback(arguments: list[str]) -> None:
    """Exit status 2 and a sentence."""
    done = run_edge(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("edge: ")
    assert "Traceback" not in done.stderr


# -- commands ----------------------------------------------------------------------------------------------------------


def test_check_says_what_would_happen(tmp_path: Path) -> None:
    """The plan on standard output, what would go wrong as warnings, exit status 0; nothing is changed."""
    upstream = f"127.0.0.1:{free_port()}"
    done = run_edge("check", *place(tmp_path), "--domain", "example.com", "--upstream", upstream)
    assert done.returncode == 0
    assert "example.com" in done.stdout
    assert f"upstream {upstream} refused the connection" in done.stderr
    assert not (tmp_path / "storage").exists()


def test_check_refuses_what_run_refuses(tmp_path: Path) -> None:
    """With every complaint, and exit status 2."""
    config = tmp_path / "edge.toml"
    config.write_text('[[site]]\nnmaes = "a.test"\nupstream = 8000\n')
    done = run_edge("check", "--config", str(config))
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if str(config) in line]) == 2


def test_help_comes_at_once() -> None:
    """It waits for neither TLS nor ACME: nothing of them is even loaded."""
    code = (
        "import sys; from edge.cli.main import main\ntry: main()\nexcept SystemExit: pass\nprint(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=20
    )
    assert "--domain" in done.stdout
    loaded = done.stdout.splitlines()[-1]
    assert not [name for name in ("cryptography", "acme", "ssl", "asyncio", "msgspec") if f"'{name}'" in loaded]


def test_certs_tells_the_truth_in_every_state(tmp_path: Path) -> None:
    """Nothing yet, then valid with its plan, unused when the name has left, damaged when the files are."""
    with Pebble() as pebble:
        assert edge_certs(tmp_path / "storage") == []
        with acme_edge(tmp_path, pebble, "--domain", "a.test") as edge:
            wait_issued(edge)
            edge.wait_for('"event":"renewal window"')
            (row,) = edge_certs(edge.storage)
            assert (row["names"], row["state"], row["in_use"], row["last_error"]) == (["a.test"], "valid", True, "")
            assert row["not_after"] > row["renew_at"]
        with EdgeProcess(tmp_path, "--domain", "localhost") as other:
            other.wait_for('"certificate issued"')
            rows = {row["names"][0]: row for row in edge_certs(other.storage)}
        assert rows["a.test"]["in_use"] is False
        assert rows["localhost"]["issuer"] == "local CA"
        for chain in edge.storage.glob("certs/a.test-*/gen/*/fullchain.pem"):
            chain.write_bytes(b"damage")
        rows = {row["names"][0]: row for row in edge_certs(edge.storage)}
        assert rows["a.test"]["state"] == "damaged"
        table = run_edge("certs", "--storage", str(edge.storage)).stdout
        assert "damaged" in table
        assert "localhost" in table
