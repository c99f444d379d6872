import re

import pytest

from tools.house.glossary import OLD_WORDS, word


@pytest.mark.parametrize("text", ["a heat", "Heats", "run_heat", "RunHeats", "HEAT_SIZE", "heat2", "_heat.py"])
def test_a_word_is_found_alone_and_in_names(text):
    assert re.search(word("heat", "heats"), text)


@pytest.mark.parametrize("text", ["cheat", "heated", "Wheat", "theatre"])
def test_a_word_is_not_found_inside_another(text):
    assert not re.search(word("heat", "heats"), text)


def test_every_exception_says_why():
    assert all(allowed.why and allowed.files for old in OLD_WORDS for allowed in old.allowed)
    assert all(old.say and old.files for old in OLD_WORDS)
