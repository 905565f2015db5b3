"""`edge.toml` as raw settings: syntax, table names, key names and types are checked here; the meaning of values later.

Keys are converted one by one, because a converter that stops at the first error could not name all of them.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from edge.config.certificate_options import FIELDS as OPTION_KEYS
from edge.config.given import Complaints, Given, RawRoute, RawSettings, RawSite, RawTable
from edge.config.toml_lines import KeyPath, line_of, locate_keys
from edge.config.toml_rules import RouteTable
from edge.config.toml_schema import INNER_TABLES, NESTED, REPEATED, TABLES, SiteTable

MAX_FILE: Final = 8 * 1024 * 1024
"""Bytes; 10,000 sites with a certificate, an upstream and mounts of their own take 3 MiB. Larger is a mistake (a log, a disk
image)."""

FIELD_OF_KEY: Final = {
    ("acme", "directory"): "acme_directory",
    ("acme", "ca_file"): "acme_ca_file",
    ("acme", "staging"): "acme_staging",
    ("log", "access"): "access_log",
    ("log", "format"): "log_format",
    ("cache", "memory"): "cache_memory",
    ("cache", "disk"): "cache_disk",
    ("cache", "disk_size"): "cache_disk_size",
    ("notify", "command"): "notify_command",
    ("notify", "webhook"): "notify_webhook",
    ("notify", "webhook_file"): "notify_webhook_file",
    ("notify", "webhook_env"): "notify_webhook_env",
    ("metrics", "listen"): "metrics_listen",
}
"""Keys that are called differently from their field in `RawSettings`; the flag needs the longer word, the table does not."""

SINGLE_KEYS: Final = ("cert", "key", "balance", "health", "hold_seconds", "upstream_ca", "on_demand")
"""Keys of `[[site]]` that hold one value and are called like their field in `RawSite`."""

WHOLE: Final = ("on_demand",)
"""Tables that stay together, because their keys mean nothing one by one."""

LISTS: Final = (("listen", "bind"), ("listen", "trusted_proxies"))
"""Keys outside sites that hold one value or several."""

LIKENESS: Final = 0.6
"""Of two keys, from 0 to 1, for one to be taken for a misspelt other. Less, and `domain` would be `on_demand`."""

MOUNTS: Final = ("static", "media", "internal")
"""Keys of a site that hold directories by prefix."""

_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_file(name: str, complaints: Complaints) -> RawSettings:
    """The raw settings in the file `name`, as far as they can be used; complaints about the rest.

    Relative paths in the file start from the file's directory.
    """
    path = Path(name)
    text = _read_text(path, complaints)
    document = None if text is None else _parse(name, text, complaints)
    if text is None or document is None:
        return RawSettings()
    return _TomlReader(name, str(path.absolute().parent), locate_keys(text), complaints).settings(document)


def _read_text(path: Path, complaints: Complaints) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        complaints.add("--config", f"{str(path)!r} cannot be read: {(error.strerror or str(error)).lower()}")
        return None
    except ValueError:  # a null byte in the name
        complaints.add("--config", f"{str(path)!r} is no file name")
        return None
    if len(data) > MAX_FILE:
        complaints.add("--config", f"{str(path)!r} is larger than 8 MiB; this cannot be a configuration")
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        complaints.add(f"{path}:{line}", "not UTF-8 text; save the file as UTF-8")
        return None


def _parse(name: str, text: str, complaints: Complaints) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except RecursionError:
        complaints.add(name, "not valid TOML: nested too deeply")
    except ValueError as error:  # TOMLDecodeError is one; numbers with thousands of digits raise a plain one
        words = str(error)
        place = _SYNTAX_PLACE.search(words)
        line, column = place.groups() if place else (None, None)
        where = f" (column {column})" if column else " (at the end)" if place else ""
        complaints.add(f"{name}:{line}" if line else name, f"not valid TOML: {_SYNTAX_PLACE.sub('', words)}{where}")
    return None


class _TomlReader:
    """One pass over a parsed document."""

    def __init__(self, name: str, base: str, lines: dict[KeyPath, int], complaints: Complaints) -> None:
        self._name = name
        self._base = base
        self._lines = lines
        self._complaints = complaints

    def settings(self, document: dict[str, Any]) -> RawSettings:
        fields: dict[str, Any] = {}
        for table, content in document.items():
            if table not in TABLES:
                self._complain((table,), self._unknown(table, "table", TABLES, document))
            elif table == "site":
                fields["sites"] = self._sites(content)
            elif not isinstance(content, dict):
                self._complain((table,), f"write a table: [{table}]")
            elif table in WHOLE:
                fields[table] = self._whole(table, content)
            else:
                fields |= self._table(table, content)
        return RawSettings(**fields)

    def _whole(self, table: str, content: dict[str, Any]) -> RawTable:
        values = self._checked((table,), TABLES[table], content)
        return RawTable(self._place((table,)), {key: self._given((table, key), value) for key, value in values.items()})

    def _table(self, table: str, content: dict[str, Any]) -> dict[str, Any]:
        inner = [key for outer, key in NESTED if outer == table]
        values = self._checked((table,), TABLES[table], content, inner)
        found: dict[str, Any] = {
            FIELD_OF_KEY.get((table, key), key): self._given((table, key), value)
            for key, value in values.items()
            if key not in OPTION_KEYS and not key.startswith("eab_")
        }
        lists = [path for path in LISTS if path[0] == table and path[1] in values]
        found |= {path[1]: self._each(path, values[path[1]]) for path in lists}
        if table == "acme":
            found["certificate"] = self._options((table,), values)
            found["eab"] = {key: self._given((table, key), values[key]) for key in values if key.startswith("eab_")}
        for key in inner:
            if key in content:
                read = self._repeated if (table, key) in REPEATED else self._nested
                found[f"{table}_{key}"] = read((table, key), content[key])
        return found

    def _nested(self, path: KeyPath, content: Any) -> RawTable | None:
        kind = (str(path[0]), str(path[1]))
        if not isinstance(content, dict):
            self._complain(path, f"write a table: [{'.'.join(kind)}]")
            return None
        values = self._checked(path, NESTED[kind], content)
        return RawTable(self._place(path), {key: self._given((*path, key), value) for key, value in values.items()})

    def _repeated(self, path: KeyPath, content: Any) -> tuple[RawTable, ...]:
        if not isinstance(content, list):
            self._complain(path, f"write each as a table of its own: [[{_join(path)}]]")
            return ()
        tables = (self._nested((*path, index), each) for index, each in enumerate(content))
        return tuple(table for table in tables if table is not None)

    def _options(self, path: KeyPath, values: dict[str, Any]) -> dict[str, Given[Any]]:
        return {key: self._given((*path, key), values[key]) for key in OPTION_KEYS if key in values}

    def _sites(self, content: Any) -> tuple[RawSite, ...]:
        if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
            self._complain(("site",), "write each site as a table of its own: [[site]]")
            return ()
        return tuple(self._site(("site", index), each) for index, each in enumerate(content))

    def _site(self, path: KeyPath, content: dict[str, Any]) -> RawSite:
        values = self._checked(path, SiteTable, content)
        single: dict[str, Any] = {key: self._given((*path, key), values[key]) for key in SINGLE_KEYS if key in values}
        routes = enumerate(values.get("route", []))
        return RawSite(
            place=self._place(path),
            names=self._each((*path, "names"), values.get("names", [])),
            upstreams=self._each((*path, "upstream"), values.get("upstream", [])),
            routes=tuple(self._route((*path, "route", index), each) for index, each in routes),
            rules=self._rules(path, values, ("names", "upstream", "route", *MOUNTS, *OPTION_KEYS, *single)),
            static=self._mounts((*path, "static"), values),
            media=self._mounts((*path, "media"), values),
            internal=self._mounts((*path, "internal"), values),
            certificate=self._options(path, values),
            **single,
        )

    def _mounts(self, path: KeyPath, values: dict[str, Any]) -> tuple[Given[tuple[str, str]], ...]:
        mounts = values.get(str(path[-1]), {})
        return tuple(self._given((*path, each[0]), each) for each in mounts.items())

    def _route(self, path: KeyPath, content: dict[str, Any]) -> RawRoute:
        values = self._checked(path, RouteTable, content)
        return RawRoute(
            place=self._place(path),
            path=self._given((*path, "path"), values["path"]) if "path" in values else None,
            upstreams=self._each((*path, "upstream"), values.get("upstream", [])),
            rules=self._rules(path, values, ("path", "upstream")),
        )

    def _rules(self, path: KeyPath, values: dict[str, Any], others: Collection[str]) -> dict[str, Given[Any]]:
        """All values but those in `others`; the keys of inner tables as `auth.users`."""
        found: dict[str, Given[Any]] = {}
        for key, value in values.items():
            if key in INNER_TABLES and isinstance(value, dict):
                inner = self._checked((*path, key), INNER_TABLES[key], value)
                if key == "cache":  # an empty table says `true`
                    found[key] = self._given((*path, key), value=True)
                found |= {f"{key}.{each}": self._given((*path, key, each), inner[each]) for each in inner}
            elif key not in others:
                found[key] = self._given((*path, key), value)
        return found

    def _checked(
        self, path: KeyPath, table: type[msgspec.Struct], content: dict[str, Any], inner: Collection[str] = ()
    ) -> dict[str, Any]:
        """The values of known keys with the right type; a complaint for every other one but those of `inner` tables."""
        types = _types_of(table)
        checked = {}
        for key, value in content.items():
            if key in inner:
                continue
            if key not in types:
                self._complain((*path, key), self._unknown(key, "key", [*types, *inner], content))
                continue
            if _holds_tables(key, value):
                checked[key] = value  # their keys are checked one by one
                continue
            try:
                checked[key] = msgspec.convert(value, types[key])
            except msgspec.ValidationError as error:
                self._complain((*path, key), _type_in_words(str(error), types[key]))
        return checked

    def _each(self, path: KeyPath, value: str | list[str]) -> tuple[Given[str], ...]:
        return tuple(self._given(path, each) for each in ([value] if isinstance(value, str) else value))

    def _given(self, path: KeyPath, value: Any) -> Given[Any]:
        return Given(value, self._place(path), self._base)

    def _complain(self, path: KeyPath, sentence: str) -> None:
        self._complaints.add(self._place(path), sentence)

    def _place(self, path: KeyPath) -> str:
        """`edge.toml:7: upstream`; a table's own place is `edge.toml:5: [[site]] 2`."""
        line = line_of(path, self._lines)
        where = self._name if line is None else f"{self._name}:{line}"
        return f"{where}: {_path_in_words(path)}"

    @staticmethod
    def _unknown(word: str, kind: str, known: Collection[str], present: Collection[str]) -> str:
        close = difflib.get_close_matches(word, known, n=3, cutoff=LIKENESS)
        if close:
            likely = next((each for each in close if each not in present), close[0])
            return f"unknown {kind}; did you mean {likely!r}?"
        return f"unknown {kind}; known are {', '.join(known)}"


@functools.cache
def _types_of(table: type[msgspec.Struct]) -> dict[str, Any]:
    """Key → type. Remembered, because there may be thousands of sites and annotations take a millisecond to evaluate."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(table)}


def _holds_tables(key: str, value: Any) -> bool:
    if key == "route":
        return isinstance(value, list) and all(isinstance(each, dict) for each in value)
    return key in INNER_TABLES and isinstance(value, dict)


def _path_in_words(path: KeyPath) -> str:
    if path[:1] == ("site",):
        site = f"[[site]] {path[1] + 1}" if len(path) > 1 and isinstance(path[1], int) else "[[site]]"
        if path[2:3] == ("route",) and len(path) > 3 and isinstance(path[3], int):
            site, path = f"[[site.route]] {path[3] + 1} of {site}", path[2:]
        return site if len(path) <= 2 else f"{_join(path[2:])} of {site}"
    if path[:2] in REPEATED and len(path) > 2:
        table = f"[[{_join(path[:2])}]] {int(path[2]) + 1}"
        return table if len(path) == 3 else f"{_join(path[3:])} of {table}"
    return _join(path)


def _join(path: KeyPath) -> str:
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", str(part)) else repr(part) for part in map(str, path))


_KINDS: Final = {
    "str": "text in quotes", "int": "a whole number", "float": "a number", "array": "a list", "object": "a table",
    "bool": "true or false", "null": "nothing",
}  # fmt: skip


def _words_of(kind: Any) -> list[str]:
    """The words that a choice has, as they are written in the file; none if `kind` is no choice."""
    literals = [word for member in get_args(kind) if get_origin(member) is Literal for word in get_args(member)]
    booleans = ["true", "false"] if literals and bool in get_args(kind) else []
    return booleans + ["false" if word is False else repr(word) for word in literals]


def _type_in_words(message: str, kind: Any) -> str:
    """msgspec's "Expected `int`, got `str` - at `$[0]`" in the words of an operator."""
    message, _, place = message.partition(" - at `$")
    item = f" (item {int(index.group(1)) + 1})" if (index := re.match(r"\[(\d+)\]", place)) else ""
    expected = re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", message)
    words = _words_of(kind)
    if words:
        return f"write {', '.join(words[:-1])} or {words[-1]}" if words[1:] else f"write a table, or {words[0]}"
    if not expected:
        return message[0].lower() + message[1:] + item
    wanted, got = (" or ".join(_KINDS.get(each, each) for each in group.split(" | ")) for group in expected.groups())
    return f"write {wanted}, not {got}{item}"
