"""The rules of the house hold for this very checkout; `python -m tools.house --list` shows what breaks them."""

from pathlib import Path

import pytest

from tools.house.offender import as_list
from tools.house.rules import RULES
from tools.house.source import Checkout, read_checkout

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def here() -> Checkout:
    return read_checkout(ROOT)


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_holds(rule: str, here: Checkout) -> None:
    offenders = RULES[rule](here)
    assert not offenders, f"{rule}: {as_list(offenders)}"
