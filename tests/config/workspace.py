"""A directory with the files that configurations name, and loading from it."""

from __future__ import annotations

from pathlib import Path

from edge.config.flags import Flags
from edge.config.load import load
from edge.config.schema import Config
from edge.errors import ConfigError

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
"""Well-formed PEM; what is inside is for the certs room."""

KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

ENVIRON = {"HOME": "/home/somebody"}


def write(directory: Path, text: str, name: str = "edge.toml") -> str:
    """A file below `directory`; its path."""
    path = directory / name
    path.write_text(text)
    return str(path)


def load_text(directory: Path, text: str, **flags: object) -> Config:
    """The configuration in a file with this text, and flags."""
    return load(Flags(config=write(directory, text), **flags), ENVIRON)  # type: ignore[arg-type]  # the test knows the types


def complaints_about(directory: Path, text: str, **flags: object) -> list[str]:
    """All complaints, with the directory's own path taken out."""
    try:
        load_text(directory, text, **flags)
    except ConfigError as error:
        return [each.replace(f"{directory}/", "") for each in error.complaints]
    return []


def flag_complaints(**flags: object) -> list[str]:
    """All complaints about flags alone."""
    try:
        load(Flags(**flags), ENVIRON)  # type: ignore[arg-type]  # the test knows the types
    except ConfigError as error:
        return error.complaints
    return []


def must_be_one_line(sentence: str) -> None:
    """A complaint can be printed to any terminal as it is."""
    assert sentence
    assert sentence.isprintable()
