import pytest

from hotloop.errors import WorkloadError
from hotloop.memory.cards import CARDS, parse_card


@pytest.mark.parametrize(
    ("text", "card"),
    [("h100", ("H100", CARDS["H100"])), ("24GiB", ("24GiB", 24 * 2**30)), ("1.5 gb", ("1.5 gb", 1_500_000_000))],
)
def test_a_card_is_named_or_sized(text, card):
    assert parse_card(text) == card


@pytest.mark.parametrize("text", ["", "H1000", "0GiB", "24", "-3GiB"])
def test_what_is_neither_is_refused_with_what_is_known(text):
    with pytest.raises(WorkloadError, match="give a size such as 24GiB, or one of: T4, L4"):
        parse_card(text)
