import pytest

from hotloop.verify.dropout import modes
from hotloop.verify.fresh_job import fresh_job
from models import recipe


@pytest.mark.parametrize("name", ["mlp", "gpt", "lstm", "bert"])
def test_silence_finds_every_dropout(name):
    silent = modes(fresh_job(recipe(name)).model)
    assert not any(rate for mode in silent.values() for rate in mode.rates.values())
    assert any(rate for mode in modes(recipe(name)().model).values() for rate in mode.rates.values())
