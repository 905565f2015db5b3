"""The reference page of `edge.toml`, made from `toml_schema`: what is written there is what users read.

python -m edge.config.reference > docs/reference/config.md
"""

from __future__ import annotations

import ast
import inspect
import sys
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin

from msgspec import Struct, UnsetType, structs

from edge.config.toml_rules import RouteTable
from edge.config.toml_schema import INNER_TABLES, NESTED, TABLES

COMMAND: Final = "python -m edge.config.reference > docs/reference/config.md"

INTRODUCTION: Final = f"""\
# `edge.toml`

<!-- made by: {COMMAND} -->

`edge --config edge.toml` reads this file; `edge check --config edge.toml` says what it means, or everything that is wrong
with it. Every key may be left out. An unknown key is an error. Relative paths start from the directory of the file.

A flag beats the file, and a repeatable flag replaces the whole list. The site flags (`--domain`, `--upstream`, `--static`,
`--media`, `--internal`, `--cert`, `--key`) beat the values of the only `[[site]]`; with several sites they are refused, because
nothing would say which one is meant. Without any `[[site]]` they are the site.

```toml
[[site]]
names = "example.com"
upstream = "unix:/run/mysite.sock"
static = {{ "/static" = "/srv/mysite/static" }}
media = {{ "/media" = "/srv/mysite/media" }}
max_body = "100M"

[[site.route]]
path = "/admin"
allow = ["private", "203.0.113.7"]
rate = "5/s"

[[site]]
names = "www.example.com"
redirect = "example.com"

[[site]]
names = "intern.example.com"
upstream = ["10.0.0.5:8000", "10.0.0.6:8000"]
cert = "/etc/ssl/intern.pem"
key = "/etc/ssl/private/intern.key"

[acme]
email = "admin@example.com"

[[acme.fallback]]
directory = "https://acme.zerossl.com/v2/DV90"
eab_kid = "Ab3-kid"
eab_hmac_file = "/etc/edge/zerossl.hmac"

[acme.dns]
provider = "rfc2136"
server = "ns1.example.com"
key_name = "edge"
key_secret_file = "/etc/edge/tsig.key"

[log]
access = "/var/log/edge/access.log"
```
"""

_WORDS: Final = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def config_page() -> str:
    """The page as Markdown."""
    return INTRODUCTION + "".join(_section(table) for table in tables_in_reading_order())


def tables_in_reading_order() -> list[type[Struct]]:
    """Each table, followed by those inside it."""
    order: list[type[Struct]] = []
    for name, outer in TABLES.items():
        order += [outer, *(inner for path, inner in NESTED.items() if path[0] == name)]
        order += [RouteTable, *INNER_TABLES.values()] if name == "site" else []
    return order


def _section(table: type[Struct]) -> str:
    heading, _, meaning = inspect.getdoc(table).partition(": ")  # type: ignore[union-attr]  # every table has one; a test looks
    docs = field_docs(table)
    rows = [
        f"| `{field.encode_name}` | {_type_in_words(field.type)} | {docs[field.name]} |"
        for field in structs.fields(table)
    ]
    return "\n".join(
        [f"\n## {heading}\n", _sentence(meaning), "", "| key | type | meaning |", "|---|---|---|", *rows, ""]
    )


def field_docs(table: type[Struct]) -> dict[str, str]:
    """The docstring that stands behind each field, on one line; those of inherited fields too."""
    (definition,) = ast.parse(inspect.getsource(table)).body
    assert isinstance(definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for base in table.__bases__:
        if base is not Struct:
            docs |= field_docs(base)
    for before, after in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and isinstance(after, ast.Expr):
            assert isinstance(after.value, ast.Constant)
            docs[before.target.id] = " ".join(str(after.value.value).split())
    return docs


def _sentence(text: str) -> str:
    words = " ".join(text.split())
    return words[:1].upper() + words[1:]


def _type_in_words(kind: Any) -> str:
    if get_origin(kind) is UnionType or str(get_origin(kind)) == "typing.Union":
        return " or ".join(_type_in_words(each) for each in get_args(kind) if each is not UnsetType)
    if get_origin(kind) is Literal:
        return " or ".join("`false`" if word is False else f'`"{word}"`' for word in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Struct):
        return "table"
    if get_origin(kind) is list:
        return f"list of {_type_in_words(get_args(kind)[0])}s"
    if get_origin(kind) is dict:
        return "table of texts"
    return _WORDS[kind]


if __name__ == "__main__":
    sys.stdout.write(config_page())
