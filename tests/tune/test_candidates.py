from dataclasses import replace

import pytest

from hotloop import registry
from hotloop.errors import PlanError
from hotloop.objective import Objective
from hotloop.proof.amdahl import AmdahlLimits
from hotloop.tune.candidates import find_candidates
from hotloop.workload import Recipe


@pytest.fixture
def script(program):
    return program("mlp")


def names(tier):
    return list(dict.fromkeys(change.name for change in tier))


LAST = ["math_attention", "matmul_precision", "threads", "data_loading", "prefetch_thread"]
LAST += ["cudnn_benchmark", "openmp"]


def test_changes_come_in_the_order_of_their_expected_gain_and_the_allocator_before_all(script, cpu_machine):
    found = find_candidates(replace(cpu_machine, cpu_flags=("avx2",)), script)
    first = ["allocator", "cached_samples", "batched_fetch", "autocast", "fused_optimizer", "channels_last"]
    assert names(found.uncompiled) == [*first, *LAST]


def test_bf16_and_the_layout_that_it_needs_come_first_where_the_processor_multiplies_in_it(script, cpu_machine):
    found = find_candidates(replace(cpu_machine, cpu_flags=("avx2", "amx_bf16")), script)
    first = ["autocast", "channels_last", "allocator", "cached_samples", "batched_fetch", "fused_optimizer"]
    assert names(found.uncompiled) == [*first, *LAST]


def test_what_compiles_comes_last(script, cpu_machine):
    assert names(find_candidates(cpu_machine, script).compiling) == ["captured_loop", "compile"]


@pytest.mark.parametrize(
    ("kind", "first"),
    [("memory-bound", True), ("overhead-bound", True), ("compute-bound", False), ("data-bound", False), (None, False)],
)
def test_what_compiles_is_worth_more_than_measuring_again_where_no_arithmetic_bounds_a_step(
    script, cpu_machine, kind, first
):
    assert find_candidates(cpu_machine, script, limits=AmdahlLimits(kind=kind)).compiles_first is first


def test_other_ways_to_compile_are_kept_for_the_end(script, cpu_machine):
    found = find_candidates(cpu_machine, script)
    assert [change.mode for change in found.compiling if change.name == "compile"] == ["default"]
    assert [(change.layers, change.mode) for change in found.variants] == [
        ("repeated", "default"),
        (None, "max-autotune"),
    ]


def test_only_a_recipe_can_have_its_step_captured(cpu_machine, tmp_path):
    recipe = Recipe(target="convnet", folder=tmp_path)
    assert names(find_candidates(cpu_machine, recipe).compiling) == ["compile", "whole_step"]


def test_every_registered_transform_is_offered_somewhere(cpu_machine, program, tmp_path):
    machines = (cpu_machine, replace(cpu_machine, gpus=("Example GPU",)))
    ranks = replace(program("ddp"), num_ranks=2)
    workloads = (Recipe(target="convnet", folder=tmp_path), ranks)
    known = registry.names("transforms")
    found = [find_candidates(machine, each, only=known) for machine in machines for each in workloads]
    tiers = [(*each.uncompiled, *each.compiling, *each.statistical) for each in found]
    assert {change.name for tier in tiers for change in tier} == set(known)


def test_what_trains_otherwise_is_tried_where_it_is_asked_for_alone(script, cpu_machine):
    assert find_candidates(cpu_machine, script).statistical == ()
    found = find_candidates(cpu_machine, script, only=("phases", "learning_rate"))
    assert (names(found.uncompiled), names(found.statistical)) == ([], ["learning_rate", "phases"])


def test_settings_of_ddp_are_tried_over_several_ranks_alone(script, cpu_machine):
    assert "ddp_settings" not in names(find_candidates(cpu_machine, script).uncompiled)
    found = find_candidates(cpu_machine, replace(script, num_ranks=2))
    assert names(found.uncompiled)[-4:] == ["ddp_settings", "comm_hook", "cudnn_benchmark", "openmp"]


def test_only_what_was_asked_for_is_tried(script, cpu_machine):
    found = find_candidates(cpu_machine, script, only=("compile", "autocast"))
    assert (names(found.uncompiled), names(found.compiling)) == (["autocast"], ["compile"])


def test_what_was_skipped_is_not_tried(script, cpu_machine):
    found = find_candidates(cpu_machine, script, skip=("allocator", "compile"))
    assert "allocator" not in names(found.uncompiled)
    assert names(found.compiling) == ["captured_loop"]


@pytest.mark.parametrize("word", ["only", "skip"])
def test_an_unknown_name_is_answered_with_the_known_ones(script, cpu_machine, word):
    with pytest.raises(PlanError, match="no transform is named 'warp'; known are: allocator, autocast"):
        find_candidates(cpu_machine, script, **{word: ("warp",)})


def test_a_third_party_is_tried_after_the_house_s_own(planted, script, cpu_machine):
    found = find_candidates(cpu_machine, script)
    assert names(found.uncompiled)[-2:] == ["slow_down", "stale_inputs"]


class SmallForData:
    """A diagnosis by which loading takes a tenth of a step, and fetching all but a fifth."""

    kind = "data-bound"

    def of(self, chosen):
        return {"data_loading": 1.1, "batched_fetch": 5.0}.get(chosen[0])


def test_what_the_diagnosis_bounds_narrowly_comes_after_what_has_no_bound(script, cpu_machine):
    found = names(find_candidates(cpu_machine, script, limits=SmallForData()).uncompiled)
    assert found[0] == "batched_fetch"
    assert found[-1] == "data_loading"
    assert found.index("autocast") < found.index("data_loading")


@pytest.mark.parametrize("objective", [Objective.MEMORY, Objective.BOTH])
def test_what_saves_memory_is_tried_first_where_memory_counts(script, cpu_machine, objective):
    found = find_candidates(cpu_machine, script, objective=objective)
    assert names(found.uncompiled)[:3] == ["checkpointing", "autocast", "allocator"]
    budgets = [change.memory_budget for change in found.variants if change.name == "compile"]
    assert {0.5, 0.0} < set(budgets)


def test_what_saves_memory_alone_is_not_tried_for_speed(script, cpu_machine):
    found = find_candidates(cpu_machine, script)
    assert "checkpointing" not in names(found.uncompiled)
    assert all(getattr(change, "memory_budget", None) is None for change in found.variants)


def test_where_memory_counts_nothing_is_left_out_for_what_it_could_win_in_time(script, cpu_machine):
    found = find_candidates(cpu_machine, script, limits=SmallForData(), objective=Objective.MEMORY)
    assert found.bounded == ()


def test_a_recipe_may_be_cut_into_microbatches_and_a_script_not(script, cpu_machine, tmp_path):
    recipe = Recipe(target="convnet", folder=tmp_path)
    assert "gradient_accumulation" in names(find_candidates(cpu_machine, recipe, objective=Objective.MEMORY).uncompiled)
    assert "gradient_accumulation" not in names(find_candidates(cpu_machine, recipe).uncompiled)
    found = find_candidates(cpu_machine, script, only=("gradient_accumulation",), objective=Objective.MEMORY)
    assert found.uncompiled == ()


def test_what_trains_otherwise_cannot_be_judged_by_memory(script, cpu_machine):
    assert find_candidates(cpu_machine, script, objective=Objective.BOTH).statistical == ()
    with pytest.raises(PlanError, match="'phases' trains otherwise by design"):
        find_candidates(cpu_machine, script, only=("phases",), objective=Objective.BOTH)
