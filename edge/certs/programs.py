"""Running a program of the operator: time-bound, in a process group of its own, without a shell.

The last line on standard error is what it has to say, standard output is thrown away. A program that takes too long is killed
with all that it has started.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from edge.certs.acme.problems import clean
from edge.errors import CertificateError

MOST_WORDS = 16 * 1024
"""Bytes of standard error that are read; a program that says more is heard no further."""


async def run_program(
    command: Sequence[str], environment: Mapping[str, str], *, seconds: float, given: bytes = b"", called: str = ""
) -> None:
    """Returns when it has ended with status 0. `environment` is added to edge's own, `given` is its standard input, and
    `called` is how it is named in messages. Raises: CertificateError with what happened and its last words."""
    called = called or command[0]
    process = await _start(command, environment)
    try:
        async with asyncio.timeout(seconds):
            words = await _talk(process, given)
            status = await process.wait()
    except TimeoutError as exc:
        raise CertificateError(f"{called} did not end within {seconds:g} s") from exc
    finally:
        await _end(process)
    if status:
        what = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise CertificateError(f"{called} {what}: {words or 'it gave no reason'}")


async def _start(command: Sequence[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "it cannot be run"
        raise CertificateError(f"{command[0]} cannot be started: {reason.lower()}") from exc


async def _talk(process: asyncio.subprocess.Process, given: bytes) -> str:
    """The last line on standard error, read until the program closes it."""
    assert process.stderr is not None
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()  # what it does not read is dropped when the pipe goes
    said = b""
    while chunk := await process.stderr.read(4096):
        said = (said + chunk)[-MOST_WORDS:]
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return clean(lines[-1]) if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Nothing of the program outlives the call: it is in a process group of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
