"""`prove` on what has nothing to gain: never a number."""

import pytest

from hotloop.proof.prove import prove
from hotloop.proof.session import Options
from hotloop.transform import Plan
from hotloop.verdict import Outcome

pytestmark = pytest.mark.usefixtures("planted")


@pytest.fixture
def proven(program, tmp_path):
    def run(name, tables, *, budget=30.0, arguments=()):
        options = Options(budget=budget, steps=8, history=f"sqlite:///{tmp_path}/history.sqlite")
        return prove(program(name, *arguments), Plan.from_data(tables), options=options)

    return run


def check_refused(result, words, gate="applies"):
    assert result.verdict is Outcome.FAIL
    assert result.speedup is None
    assert result.payback_steps is None
    assert [trial.speedup for trial in result.trials] == [None]
    failed = [verdict for verdict in result.verdicts if verdict.outcome is Outcome.FAIL]
    assert [verdict.gate for verdict in failed] == [gate]
    assert words in failed[0].message
    assert result.message == failed[0].message


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "matmul_precision", "precision": "high"}, "TF32 is a mode of NVIDIA tensor cores"),
        ({"name": "cudnn_benchmark"}, "cuDNN runs on NVIDIA GPUs"),
        ({"name": "compile", "mode": "reduce-overhead"}, "records CUDA graphs"),
        ({"name": "data_loading", "workers": 0, "pin_memory": True}, "pinned memory"),
    ],
)
def test_what_needs_a_gpu_does_not_apply_here(proven, table, words):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    check_refused(proven("mlp", [table]), words)


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("mlp", {"name": "channels_last"}, "no 2-d convolution"),
        ("mlp", {"name": "data_loading", "workers": 1}, "never built a DataLoader"),
        ("functions", {"name": "compile", "backend": "aot_eager"}, "never called a module"),
        ("mlp", {"name": "compiles_nothing"}, "nothing was compiled"),
    ],
)
def test_what_changed_nothing_on_this_program_does_not_apply(proven, name, table, words):
    check_refused(proven(name, [table]), words)


def test_a_plan_under_which_the_program_crashes_fails_with_what_it_raised(proven):
    check_refused(proven("mlp", [{"name": "crashes"}]), "ArithmeticError", gate="runs")


def test_a_compilation_that_fails_is_a_failure_and_never_eager(proven):
    check_refused(proven("mlp", [{"name": "compile", "backend": "refusing"}]), "BackendCompilerFailed", gate="runs")


@pytest.mark.slow
def test_a_change_that_changes_nothing_is_not_proven(proven):
    result = proven("convnet", [{"name": "nothing"}], budget=60.0)
    assert result.verdict is not Outcome.PASS


@pytest.mark.slow
def test_a_slow_down_is_never_called_faster(proven):
    result = proven("convnet", [{"name": "slow_down", "percent": 25.0}], budget=90.0)
    assert result.verdict is not Outcome.PASS
    assert result.speedup is not None
    assert result.speedup.ratio < 1.0
