"""What a fit leaves alone in its process, and what its profile tells."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hotloop.estimators import PSANNRegressor, ResPSANNRegressor

HISSO = {"hisso": True, "hisso_window": 16}
FIRST_FIT = """
import sys
import numpy as np
from hotloop.estimators import ResPSANNRegressor

series = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
model = ResPSANNRegressor(hidden_layers=1, hidden_units=8, epochs=1, random_state=0)
model.fit(series, series, hisso=True, hisso_window=8, hisso_supervised=True)
print([name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules])
"""


def test_defect_17_the_first_fit_of_a_process_does_not_import_the_compiler() -> None:
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", FIRST_FIT], capture_output=True, text=True, check=False, env=variables)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_defect_18_a_fit_uses_one_thread_for_small_work_and_puts_the_number_back(small, series) -> None:
    before = torch.get_num_threads()

    def broken(actions, context):
        raise RuntimeError("planted")

    try:
        torch.set_num_threads(2)
        model = PSANNRegressor(**small).fit(series, series, **HISSO, hisso_supervised=True)
        assert model.hisso_profile_["threads"] == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="planted"):
            model.fit(series, series, **HISSO, hisso_reward_fn=broken)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_row_0_2_the_profile_tells_of_extractor_fallback_and_state(small, series) -> None:
    def arrays_only(inputs):
        if isinstance(inputs, torch.Tensor):
            raise TypeError("expected an array")
        return inputs

    def told(model) -> tuple[bool, bool, bool]:
        profile = model.hisso_profile_
        return profile["uses_extractor"], profile["numpy_fallback"], profile["stateful"]

    plain = ResPSANNRegressor(**small).fit(series, series, **HISSO)
    with pytest.warns(RuntimeWarning, match="NumPy fallback"):
        other = PSANNRegressor(**small, stateful=True, state={}).fit(
            series, series, **HISSO, hisso_context_extractor=arrays_only
        )
    assert told(plain) == (False, False, False)
    assert told(other) == (True, True, True)


def test_row_1_4_the_page_on_episodes_says_how_the_penalty_is_forwarded() -> None:
    text = (Path(__file__).parents[2] / "docs" / "hisso.md").read_text(encoding="utf-8")
    (section,) = (part for part in text.split("\n## ") if part.startswith("What the reward is told"))
    assert "The transition penalty is forwarded" in section
    assert all(name in section for name in ("`transition_penalty`", "`**kwargs`", "`trans_cost`"))
