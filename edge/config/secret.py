"""Where a secret is kept. The configuration names the place, never the secret: it is printed, sent between processes, and shown
in complaints."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from edge.config.files import readable_file


class Secret(Struct, frozen=True):
    """The absolute path of a file, or the name of an environment variable; the other one is empty."""

    file: str = ""
    variable: str = ""

    def __str__(self) -> str:
        return f"the secret in {self.file}" if self.file else f"the secret in the environment variable {self.variable}"


def secret_in_file(path: str, base: str) -> Secret:
    """Raises: ValueError when the file cannot be read, in words that show nothing of it."""
    return Secret(file=readable_file(path, base))


def secret_in_variable(name: str, environ: Mapping[str, str]) -> Secret:
    """Raises: ValueError when there is no such variable, or nothing in it."""
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of an environment variable")
    if not environ.get(name, "").strip():
        raise ValueError(f"the environment variable {name} is not set; set it for the process that runs edge")
    return Secret(variable=name)
