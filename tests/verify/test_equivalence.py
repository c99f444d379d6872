import faults
import pytest
import torch
from torch._dynamo.utils import counters

from benchmarks.verify.trajectory import check_trajectory
from hotloop.transform import Promise
from hotloop.verdict import Outcome
from hotloop.verify.equivalence import check_equivalence
from hotloop.workload import Loss
from models import FAST, SLOW, WITH_BATCH_NORM, WITHOUT_DROPOUT, recipe

BF16, FP32 = 2.0**-9, 2.0**-24
MODELS = [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
BATCH_NORM = [name for name in FAST if name in WITH_BATCH_NORM]
BATCH_NORM += [pytest.param(name, marks=pytest.mark.slow) for name in SLOW if name in WITH_BATCH_NORM]
DROPOUT = [name for name in FAST if name not in WITHOUT_DROPOUT]
DROPOUT += [pytest.param(name, marks=pytest.mark.slow) for name in SLOW if name not in WITHOUT_DROPOUT]
# One precision for each fault, so that both are met: a fault may hide behind the allowance of bf16.
PRECISIONS = {"fp32": (faults.nothing, FP32), "bf16": (faults.bf16_autocast, BF16)}


def of_name(change):
    return change.__name__


def gates(name, change, *, roundoff=FP32, promise=Promise.CLOSE):
    """Both gates; the second only where the first lets the change through."""
    step = check_equivalence(recipe(name), change, promise=promise, roundoff=roundoff)
    return [step, check_trajectory(recipe(name), change, roundoff=roundoff)] if step.passed else [step]


def assert_accepted(verdicts):
    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASS, Outcome.PASS], verdicts


def assert_refused(verdicts):
    assert verdicts[-1].outcome is Outcome.FAIL, verdicts


@pytest.mark.parametrize("name", MODELS)
def test_a_fused_optimizer_is_accepted_as_exact(name):
    assert_accepted(gates(name, faults.fused_optimizer, roundoff=0.0, promise=Promise.EXACT))


@pytest.mark.parametrize("name", MODELS)
def test_bf16_autocast_is_accepted(name):
    assert_accepted(gates(name, faults.bf16_autocast, roundoff=BF16))


@pytest.mark.parametrize("name", ["mlp", "gpt"])
def test_bf16_autocast_is_refused_where_fp32_was_promised(name):
    assert_refused(gates(name, faults.bf16_autocast))


@pytest.mark.parametrize("name", MODELS)
def test_pure_bf16_parameters_are_refused(name):
    assert_refused(gates(name, faults.pure_bf16, roundoff=BF16))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # Dynamo asks inputs of a graph break for it
@pytest.mark.parametrize("name", ["mlp", "resnet", *(pytest.param(m, marks=pytest.mark.slow) for m in ("gpt", "bert"))])
def test_a_compiled_graph_is_accepted(name):
    assert_accepted(gates(name, faults.compiled("aot_eager")))
    assert counters["frames"]["ok"]


@pytest.mark.parametrize("name", ["mlp", "resnet", *(pytest.param(m, marks=pytest.mark.slow) for m in ("gpt", "bert"))])
def test_a_captured_step_is_accepted(name):
    assert_accepted(gates(name, faults.captured("aten")))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
@pytest.mark.parametrize("name", ["mlp", "resnet", "gpt"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_inductor_is_accepted(name, precision):
    lowered, roundoff = PRECISIONS[precision]
    assert_accepted(gates(name, faults.both(lowered, faults.compiled("inductor")), roundoff=roundoff))
    assert counters["frames"]["ok"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fault", faults.STEP_FAULTS, ids=of_name)
def test_a_fault_in_every_step_is_refused_by_the_step_gate(fault, name, precision):
    lowered, roundoff = PRECISIONS[precision]
    change = faults.both(lowered, fault)
    verdict = check_equivalence(recipe(name), change, promise=Promise.CLOSE, roundoff=roundoff)
    assert verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fault", faults.PATH_FAULTS, ids=of_name)
def test_a_fault_between_steps_is_refused_by_the_drift_gate(fault, name, precision):
    lowered, roundoff = PRECISIONS[precision]
    assert (
        check_trajectory(recipe(name), faults.both(lowered, fault), steps=20, roundoff=roundoff).outcome is Outcome.FAIL
    )


@pytest.mark.parametrize("name", DROPOUT)
@pytest.mark.parametrize("fault", faults.DROPOUT_FAULTS, ids=of_name)
def test_silenced_dropout_is_refused(fault, name):
    if name == "lstm" and fault is faults.dropout_hidden:
        pytest.skip("the dropout of nn.LSTM is no Python function that could be patched")
    verdict = check_equivalence(recipe(name), fault, promise=Promise.CLOSE, roundoff=BF16)
    assert verdict.outcome is Outcome.FAIL
    assert "dropout" in verdict.message or "eval mode" in verdict.message


@pytest.mark.parametrize("name", BATCH_NORM)
@pytest.mark.parametrize("fault", faults.BATCH_NORM_FAULTS, ids=of_name)
def test_frozen_batch_norm_is_refused_by_name(fault, name):
    verdict = check_equivalence(recipe(name), fault, promise=Promise.CLOSE, roundoff=BF16)
    assert verdict.outcome is Outcome.FAIL
    assert "running_mean changes in eager and stays as it was here" in verdict.message


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.frozen_parameter, "parameter layers.6.weight gets no gradient"),
        (faults.forgotten_parameter, "parameter layers.6.weight changes in eager and stays as it was here"),
        (faults.poisoned_gradients, "the candidate's step is not finite: gradient layers.6.weight"),
        (faults.scaled_gradients, "gradient scale is off by 5.0e-02"),
        (faults.dropout_hidden, "two random seeds give two losses in eager and the same loss here"),
        (faults.dropout_zero, "dropout p of module layers.2 is 0.1 in eager and 0 here"),
    ],
)
def test_the_message_says_what_is_wrong_and_where(fault, words):
    assert words in check_equivalence(recipe("mlp"), fault, promise=Promise.CLOSE, roundoff=FP32).message


def test_exact_is_refused_where_close_is_accepted():
    def reordered(job):
        first = job.model.layers[0]
        first.register_forward_hook(lambda module, given, result: result * 1.0000007)  # six ulp

    assert check_equivalence(recipe("mlp"), reordered, promise=Promise.CLOSE, roundoff=FP32).passed
    verdict = check_equivalence(recipe("mlp"), reordered, promise=Promise.EXACT, roundoff=FP32)
    assert "promised exact" in verdict.message


def test_a_crash_in_the_candidate_reaches_the_caller():
    def crash(job):
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError, match="planted"):
        check_equivalence(recipe("mlp"), crash, promise=Promise.CLOSE, roundoff=FP32)


def test_a_step_that_stays_random_without_dropout_is_inconclusive():
    def build():
        job = recipe("mlp")()
        plain = job.strategy.loss
        job.strategy = Noisy(plain)
        return job

    verdict = check_equivalence(build, faults.nothing, promise=Promise.CLOSE, roundoff=FP32)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "two random seeds still give losses" in verdict.message


def test_a_baseline_that_is_not_finite_is_inconclusive():
    def build():
        job = recipe("mlp")()
        job.batches = [(rows * float("inf"), labels) for rows, labels in job.batches]
        return job

    verdict = check_equivalence(build, faults.nothing, promise=Promise.CLOSE, roundoff=FP32)
    assert verdict.outcome is Outcome.INCONCLUSIVE


class Noisy:
    """A loss with noise that no dropout rate controls."""

    def __init__(self, plain):
        self.plain = plain

    def loss(self, model, batch):
        rows, labels = batch
        value, count, _ = self.plain(model, (rows + 0.1 * torch.randn_like(rows), labels))
        return Loss(value, count)
