"""The settings file: what it may say, and the defaults beside it."""

import pytest

from hotloop.errors import RevisionError
from hotloop.guard.limits import DEFAULTS, METRICS, GuardSettings, Limit


@pytest.fixture
def load(tmp_path):
    def read(text):
        path = tmp_path / "guard.toml"
        path.write_text(text)
        return GuardSettings.load(path)

    return read


def test_an_empty_file_is_the_defaults(load):
    assert load("") == GuardSettings()
    assert set(DEFAULTS) | {"operators", "instructions"} == set(METRICS)


def test_a_limit_keeps_the_defaults_of_what_it_does_not_say(load):
    found = load("[limits.step_time]\nrelative = 0.1\n").limits
    assert found["step_time"] == Limit(relative=0.1, absolute=DEFAULTS["step_time"].absolute, resolution=0.1)
    assert found["loss"] == DEFAULTS["loss"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits.speed]\nrelative = 0.1", "unknown metric 'speed'; known are step_time"),
        ("[limits.loss]\nrelative = -1", "relative = -1; allowed are relative, absolute, resolution"),
        ("[limits.loss]\nfactor = 1", "factor = 1; allowed are"),
        ("[limits.loss]\nrelative = true", "relative = True"),
        ("[limits]\nloss = 3", "it must be a table"),
        ("metrics = ['speed']", "unknown metric 'speed'"),
        ("steps = 3", "allowed are 10"),
        ("steps = '3'", "it must be int"),
        ("allocator = 'fast'", "allowed are tcmalloc and system"),
        ("speed = 1", "unknown key 'speed'; known are"),
        ("limits = [", "cannot read settings"),
    ],
)
def test_what_is_not_understood_is_refused(load, text, words):
    with pytest.raises(RevisionError, match=r".*") as caught:
        load(text)
    assert words in str(caught.value)
