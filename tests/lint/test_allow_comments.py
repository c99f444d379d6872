"""Comments that allow a finding, and those that allow nothing."""

import pytest


def test_a_comment_allows_its_code_on_its_statement(train, codes):
    path = train("  # hotloop: allow SY01 reason=read once by design")
    assert codes(path, select=("SY01", "SY02")) == [("SY02", 6)]


def test_a_comment_on_the_line_above_counts(tmp_path, codes):
    path = tmp_path / "t.py"
    path.write_text(
        "for x in loader:\n    # hotloop: allow sy01, SY02 reason=both\n    # why\n    f(x.item(),\n      x.cpu())\n"
    )
    assert codes(path, select=("SY01", "SY02")) == []


def test_a_comment_on_a_loop_head_does_not_allow_its_body(tmp_path, codes):
    path = tmp_path / "t.py"
    path.write_text("for x in loader:  # hotloop: allow SY01 reason=the head\n    x.item()\n")
    assert codes(path, select=("SY01",)) == [("SY01", 2), ("AL01", 1)]


def test_a_comment_that_allows_nothing_is_stale_unless_its_code_was_not_looked_for(train, codes):
    path = train("  # hotloop: allow CO01 reason=gone")
    assert ("AL01", 5) in codes(path)
    assert codes(path, select=("SY01",)) == [("SY01", 5)]


@pytest.mark.parametrize(
    "comment", ["# hotloop: allow SY01", "# hotloop: allow reason=x", "# hotloop: allow SY01 reason="]
)
def test_a_comment_without_code_or_reason_allows_nothing_and_is_reported(train, comment, codes):
    assert codes(train(f"  {comment}"), select=("SY01",)) == [("SY01", 5), ("AL02", 5)]


def test_a_string_that_looks_like_a_comment_allows_nothing(tmp_path, codes):
    path = tmp_path / "t.py"
    path.write_text('for x in loader:\n    f(x.item(), "# hotloop: allow SY01 reason=no")\n')
    assert codes(path, select=("SY01",)) == [("SY01", 2)]
