"""The reference page of edge.toml."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct

from edge.config.flags import Flags, flag_name
from edge.config.load import load
from edge.config.reference import COMMAND, INTRODUCTION, config_page, field_docs, tables_in_reading_order
from edge.errors import ConfigError
from tests.config.workspace import write

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "config.md"


def test_the_page_is_what_the_schema_says() -> None:
    """After a change of the schema, make the page again."""
    assert PAGE.read_text() == config_page(), f"run: {COMMAND}"


@pytest.mark.parametrize("table", tables_in_reading_order())
def test_every_key_explains_itself(table: type[Struct]) -> None:
    """A key without a docstring would be a blank in the manual."""
    assert set(field_docs(table)) == set(table.__struct_fields__)


def test_the_file_has_a_key_for_every_flag() -> None:
    """Everything a flag says the file can say."""
    keys = {key for table in tables_in_reading_order() for key in table.__struct_fields__}
    names = {"domain": "names", "acme_directory": "directory", "acme_ca_file": "ca_file", "access_log": "access",
             "log_format": "format"}  # fmt: skip
    flags = [each for each in Flags.__struct_fields__ if each != "config"]
    assert [flag_name(each) for each in flags if names.get(each, each) not in keys] == []


def test_the_example_has_no_mistake_but_missing_files(tmp_path: Path) -> None:
    """What people copy must work."""
    example = INTRODUCTION.split("```toml\n")[1].split("```")[0]
    with pytest.raises(ConfigError) as caught:
        load(Flags(config=write(tmp_path, example)), {"HOME": "/"})
    missing = ("does not exist", "no such file")
    assert [each for each in caught.value.complaints if not any(words in each for words in missing)] == []
