"""Who the workers become."""

from __future__ import annotations

import os
import pwd

import pytest

from edge.errors import ConfigError
from edge.process.privileges import find_account


def test_no_user_means_no_change() -> None:
    """Without a configured user workers stay who they are."""
    assert find_account("") is None


def test_a_missing_user_is_a_complaint() -> None:
    """The operator reads which name is wrong and what to do."""
    with pytest.raises(ConfigError, match="--user no-such-user"):
        find_account("no-such-user")


@pytest.mark.skipif(os.geteuid() != 0, reason="for anybody but root the answer is None")
def test_an_account_has_everything_that_must_change() -> None:
    """User, group and supplementary groups come from the user database."""
    account = find_account("nobody")
    assert account is not None
    assert (account.uid, account.gid) == (pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    assert account.gid in account.groups
    assert 0 not in account.groups
