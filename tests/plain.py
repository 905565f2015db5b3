"""A mark for tests that put something else in a module's place: compiled code has already taken what it names."""

from __future__ import annotations

import pytest

from edge.cli.versions import is_compiled

plain_only = pytest.mark.skipif(
    is_compiled(), reason="replaces a name of the module, which compiled code does not ask for"
)
