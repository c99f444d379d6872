"""The gate on whole programs: planted faults are refused by name, harmless plans go through."""

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst

pytestmark = pytest.mark.usefixtures("planted", "forked")

DROPPED = "dropout no longer drops|drops out 0 in place of|runs in evaluation mode"
FAULTS = [
    ("mlp", "scale_gradients", {}, "scale off by"),
    ("convnet", "scale_gradients", {}, "scale off by"),
    ("mlp", "skip_parameter", {}, "gets no gradient"),
    ("convnet", "skip_parameter", {"how": "zero_gradient"}, "gets a gradient of zero"),
    ("mlp", "skip_parameter", {"how": "undone"}, "loss drifts by"),
    ("mlp", "dropout_off", {"how": "eval"}, "runs in evaluation mode"),
    ("mlp", "dropout_off", {"how": "rate"}, "drops out 0 in place of 0.2"),
    ("mlp", "dropout_off", {"how": "function"}, "dropout no longer drops"),
    ("mlp", "freeze_batchnorm", {"how": "eval"}, "runs in evaluation mode"),
    ("convnet", "freeze_batchnorm", {"how": "momentum"}, "batch-norm statistic"),
    ("convnet", "stale_inputs", {}, "loss drifts by"),
    ("mlp", "stale_inputs", {}, "loss drifts by"),
    ("mlp", "drop_every_tenth_step", {}, "does not move in step 10"),
    ("convnet", "drop_every_tenth_step", {}, "does not move in step 10"),
    ("mlp", "pure_bf16", {}, "small updates are lost"),
    ("convnet", "pure_bf16", {}, "small updates are lost"),
]
MORE_FAULTS = [
    ("gpt", "scale_gradients", {}, "scale off by"),
    ("convnet", "skip_parameter", {}, "gets no gradient"),
    ("gpt", "skip_parameter", {"how": "undone"}, "loss drifts by"),
    ("gpt", "dropout_off", {"how": "eval"}, "runs in evaluation mode"),
    ("gpt", "dropout_off", {"how": "rate"}, "drops out 0 in place of 0.1"),
    ("gpt", "dropout_off", {"how": "function"}, "off by|dropout no longer drops"),
    ("convnet", "freeze_batchnorm", {"how": "eval"}, "runs in evaluation mode"),
    ("mlp", "freeze_batchnorm", {"how": "momentum"}, "batch-norm statistic"),
    ("gpt", "stale_inputs", {}, "loss drifts by"),
    ("gpt", "drop_every_tenth_step", {}, "does not move in step 10"),
    ("gpt", "pure_bf16", {}, "small updates are lost"),
]
FUSED = {"name": "fused_optimizer"}
FOREACH = {"name": "fused_optimizer", "implementation": "foreach"}
CHANNELS_LAST = {"name": "channels_last"}
EAGER_GRAPH = {"name": "compile", "backend": "aot_eager"}
COMPILE = {"name": "compile"}
AUTOCAST = {"name": "autocast"}
HARMLESS = [
    ("mlp", [FUSED]),
    ("convnet", [FUSED, CHANNELS_LAST]),
    ("convnet", [AUTOCAST]),
    ("mlp", [AUTOCAST]),
    ("mlp", [EAGER_GRAPH]),
]
MORE_HARMLESS = [
    *[(name, [plan]) for name in ("mlp", "convnet", "gpt") for plan in (FOREACH, COMPILE)],
    ("gpt", [FUSED]),
    ("gpt", [EAGER_GRAPH]),
    ("convnet", [EAGER_GRAPH]),
    ("gpt", [AUTOCAST]),
    ("convnet", [CHANNELS_LAST, AUTOCAST, COMPILE]),
    ("gpt", [FUSED, AUTOCAST, COMPILE]),
]
WITH_COMPILE = [
    ("mlp", {"name": "dropout_off", "how": "function"}, "off by|dropout no longer drops"),
    ("gpt", {"name": "dropout_off", "how": "rate"}, DROPPED),
    ("mlp", {"name": "scale_gradients"}, "scale off by"),
    ("gpt", {"name": "stale_inputs"}, "loss drifts by"),
]


def check_refused(gate, tables, words):
    result = gate.check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.FAIL
    assert any(
        part in verdict.message for part in words.split("|") for verdict in result.verdicts if not verdict.passed
    )


def check_accepted(gate, tables):
    result = gate.check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]


@pytest.mark.parametrize(("program", "name", "options", "words"), FAULTS)
def test_a_planted_fault_is_refused_and_named(gates, program, name, options, words):
    check_refused(gates(program), [{"name": name, **options}], words)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "name", "options", "words"), MORE_FAULTS)
def test_a_planted_fault_is_refused_on_other_programs_too(gates, program, name, options, words):
    check_refused(gates(program), [{"name": name, **options}], words)


@pytest.mark.parametrize(("program", "tables"), HARMLESS)
def test_a_harmless_plan_goes_through(gates, program, tables):
    check_accepted(gates(program), tables)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "tables"), MORE_HARMLESS)
def test_a_harmless_plan_goes_through_on_every_program(gates, program, tables):
    check_accepted(gates(program), tables)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "fault", "words"), WITH_COMPILE)
def test_the_other_random_stream_of_compiled_code_hides_no_fault(gates, program, fault, words):
    check_refused(gates(program), [fault, COMPILE], words)


@pytest.mark.slow
@pytest.mark.parametrize("program", ["mlp", "convnet", "gpt"])
def test_the_rounding_of_autocast_hides_no_scaled_gradient(gates, program):
    check_refused(gates(program), [{"name": "scale_gradients"}, AUTOCAST], "scale off by")


def test_a_change_that_changes_nothing_is_sound(gates):
    check_accepted(gates("mlp"), [{"name": "nothing"}])
