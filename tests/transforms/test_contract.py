"""What every registered transform owes, whoever wrote it."""

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from hotloop import registry
from hotloop.errors import NotApplicable, PlanError
from hotloop.measurement import Environment
from hotloop.transform import Plan, Promise, Stage, short_name
from hotloop.transforms.compile import Compile
from hotloop.transforms.data_loading import DataLoading

NAMES = registry.names("transforms")
CPU = Environment(
    cpu="Example 9000",
    cpu_flags=("avx2", "avx512_bf16"),
    cores=(0, 1, 2, 3),
    threads=4,
    governor="performance",
    load=0.0,
    foreign_cores=0.0,
    memory=8 * 2**30,
    platform="Linux",
    python="3.11.7",
    torch="2.13.0",
    hotloop="0.1.0",
    allocators={"tcmalloc": "/usr/lib/libtcmalloc_minimal.so.4"},
    compiler="g++ 12",
)
CUDA = replace(CPU, gpus=("Example GPU",), gpu_driver="1")
BARE = replace(CPU, cores=(0,), threads=1, cpu_flags=(), compiler="", allocators={})
CANDIDATES = [
    pytest.param(candidate, id=f"{where}-{Plan((candidate,)).title}")
    for name in NAMES
    for where, machine in (("cpu", CPU), ("cuda", CUDA), ("bare", BARE))
    for candidate in registry.load("transforms", name).candidates(machine)
]


@pytest.mark.parametrize("name", NAMES)
def test_its_file_its_class_and_its_plan_bear_one_name(name):
    kind = registry.load("transforms", name)
    assert kind.name == name
    assert kind.__module__.rpartition(".")[2] == name
    assert isinstance(kind.stage, Stage)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_something_to_offer_where_there_is_a_gpu_or_a_cpu(name):
    kind = registry.load("transforms", name)
    assert kind.candidates(CPU) or kind.candidates(CUDA)


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_every_candidate_is_one_of_its_own_and_says_how_it_rounds(candidate):
    assert isinstance(candidate, registry.load("transforms", candidate.name))
    assert isinstance(candidate.promise, Promise)
    assert 0.0 <= candidate.roundoff <= 2.0**-9
    if candidate.promise is not Promise.STATISTICAL:  # which is never compared step by step
        assert (candidate.roundoff == 0.0) == (candidate.promise is Promise.EXACT)


def test_all_are_loaded_and_built_by_the_standard_library_alone():
    tables = [{"name": name, **({"num": 1} if name == "threads" else {})} for name in NAMES]
    code = f"import sys; from hotloop.transform import Plan; Plan.from_data({tables})\n"
    code += "sys.exit({'numpy', 'psutil', 'pydantic', 'torch'} & set(sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_candidate_has_a_short_name_of_its_own():
    found = {short_name(c): c for machine in (CPU, CUDA) for name in NAMES for c in candidates(name, machine)}
    assert all(len(name) <= 23 and "(" not in name for name in found)
    assert len(found) == len(set(found.values()))


def candidates(name, machine):
    return registry.load("transforms", name).candidates(machine)


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_every_candidate_survives_toml_and_json(candidate, tmp_path: Path):
    plan = Plan((candidate,))
    (tmp_path / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
    assert Plan.load(tmp_path / "plan.toml") == Plan.from_data(plan.to_data()) == plan


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_a_check_passes_or_gives_a_reason(candidate):
    reasons = [refusal(candidate, machine) for machine in (CPU, CUDA, BARE)]
    assert all(reason is None or len(reason) > 15 for reason in reasons)


def refusal(candidate, machine):
    try:
        candidate.check(machine)
    except NotApplicable as reason:
        return str(reason)
    return None


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_answered_with_the_options(name):
    allowed = ", ".join(field.name for field in fields(registry.load("transforms", name))) or "none"
    with pytest.raises(PlanError, match=rf"'{name}' cannot take .*warp.*its options are: {allowed}"):
        Plan.from_data([{"name": name, "warp": 9}])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "matmul_precision", "precision": "high"}, "TF32 .* no CUDA device here"),
        ({"name": "cudnn_benchmark"}, "no CUDA device here"),
        ({"name": "compile", "mode": "reduce-overhead"}, "no CUDA device here"),
        ({"name": "comm_hook", "kind": "bf16"}, "no CUDA device here; try fp16"),
        ({"name": "data_loading", "pin_memory": True}, "pinned memory .* none here"),
        ({"name": "threads", "num": 64}, "64 threads asked for and 4 cores"),
        ({"name": "allocator", "library": "jemalloc"}, "not installed; install the system package libjemalloc2"),
    ],
)
def test_what_this_machine_has_no_use_for_is_refused_with_a_reason(table, words):
    (transform,) = Plan.from_data([table]).transforms
    with pytest.raises(NotApplicable, match=words):
        transform.check(CPU)


def test_without_a_compiler_there_is_no_inductor_on_the_cpu():
    with pytest.raises(NotApplicable, match=r"install g\+\+ or clang"):
        Compile().check(BARE)
    Compile(backend="aot_eager").check(BARE)


def test_one_core_has_none_to_spare_for_a_loader():
    with pytest.raises(NotApplicable, match="one core"):
        DataLoading().check(BARE)
