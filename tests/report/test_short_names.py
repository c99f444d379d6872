import dataclasses
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotloop import registry
from hotloop.report.short_names import short_change, short_name, short_plan, shortened
from hotloop.transform import Plan, describe

NAMES = {
    "bf16": {"name": "autocast", "dtype": "bfloat16"},
    "channels_last": {"name": "channels_last"},
    "loader 2 workers": {"name": "data_loading", "workers": 2, "prefetch": 2, "pin_memory": False},
    "loader 1 worker prefetch 4 pin_memory": {
        "name": "data_loading",
        "workers": 1,
        "prefetch": 4,
        "pin_memory": True,
    },
    "loader 2 workers persistent": {"name": "data_loading", "workers": 2, "persistent": True},
    "cached samples 512 MiB": {"name": "cached_samples", "memory_mib": 512, "file_mib": 4096},
    "tcmalloc": {"name": "allocator", "library": "tcmalloc"},
    "compile": {"name": "compile", "mode": "default", "dynamic": None},
    "compile max-autotune dynamic": {"name": "compile", "mode": "max-autotune", "dynamic": True},
    "fused optimizer": {"name": "fused_optimizer", "implementation": "fused"},
    "fused_optimizer": {"name": "fused_optimizer"},
    "math_attention": {"name": "math_attention", "low_precision": True},
    "math_attention no low_precision": {"name": "math_attention", "low_precision": False},
    "1 thread": {"name": "threads", "num": 1},
    "11 threads": {"name": "threads", "num": 11},
    "whole_step bf16": {"name": "whole_step", "dtype": "bfloat16"},
    "prune share 0.5 magnitude": {"name": "prune", "share": 0.5, "by": "magnitude"},
}


@pytest.mark.parametrize("short", NAMES)
def test_a_short_name_comes_from_the_table_alone(short):
    assert short_name(NAMES[short]) == short


@pytest.mark.parametrize("name", registry.names("transforms"))
def test_options_worth_trying_differ_in_their_short_names_and_are_found_in_text(name, cpu_machine):
    gpu_machine = dataclasses.replace(cpu_machine, gpus=("Example",))
    for machine in (cpu_machine, gpu_machine):
        candidates = registry.load("transforms", name).candidates(machine)
        names = [short_name(Plan((candidate,)).to_data()[0]) for candidate in candidates]
        assert all(len(short) <= 27 for short in names)
        assert not [pair for pair in combinations(names, 2) if pair[0] == pair[1]]
        assert [shortened(describe(candidate)) for candidate in candidates] == names


def test_a_plan_is_named_in_one_line(proven):
    assert short_plan(proven.plan) == "tcmalloc + channels_last + compile"
    assert short_plan(()) == "nothing"


def test_text_keeps_what_is_no_transform():
    text = "autocast(dtype=bfloat16), open(mode=r): f(x) failed"
    assert shortened(text) == "bf16, open(mode=r): f(x) failed"


def test_a_change_of_a_third_party_is_shortened_by_the_tables_of_its_trial(proven):
    trial = dataclasses.replace(
        proven.trials[0], change="prune(share=0.5, by=magnitude)", plan=({"name": "prune", "share": 0.5},)
    )
    assert short_change(trial) == "prune share 0.5 magnitude"


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.floats(), st.text())))
def test_any_table_has_a_name(table):
    assert short_name({"name": "x", **table})
