"""Entries of an allow-list, and those that allow nothing."""

import json

import pytest

from hotloop.errors import SourceError
from hotloop.lint.allow_list import load_allow_list


def allow_list(folder, key, **changes):
    values = {"key": key, "owner": "ana", "reason": "by design"} | changes
    path = folder / "allow.toml"
    path.write_text("[[allow]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return path


def test_an_entry_allows_a_code_in_a_scope(train, tmp_path, codes):
    listed = load_allow_list(allow_list(tmp_path, "train.py:fit:SY01"))
    assert codes(train(), select=("SY01",), allow=listed) == []


@pytest.mark.parametrize("key", ["train.py:other:SY01", "gone.py:fit:SY01"])
def test_an_entry_that_allows_nothing_is_stale(train, tmp_path, key, codes):
    listed = load_allow_list(allow_list(tmp_path, key))
    assert codes(train(), select=("SY01",), allow=listed) == [("SY01", 5), ("AL01", 1)]


def test_an_entry_for_a_file_that_was_not_linted_is_not_judged(train, tmp_path, codes):
    (tmp_path / "other.py").write_text("x = 1\n")
    listed = load_allow_list(allow_list(tmp_path, "other.py:fit:SY01"))
    assert codes(train(), select=("SY01",), allow=listed) == [("SY01", 5)]


@pytest.mark.parametrize("changes", [{"owner": ""}, {"reason": 3}, {"extra": "x"}, {"key": "train.py"}])
def test_an_entry_without_owner_reason_or_key_is_refused(tmp_path, changes):
    with pytest.raises(SourceError, match=r"allow.toml:1: .*; (it needs|write)|needs key, owner and reason"):
        load_allow_list(allow_list(tmp_path, **({"key": "a:b:c"} | changes)))
