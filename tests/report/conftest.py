"""Two results as sessions end with them: one proven with eight trials, one that could not tell and tried nothing."""

import math

import pytest

from hotloop.measurement import Clock, Environment, Interval, Memory
from hotloop.trial import Curves, Result, Trial
from hotloop.verdict import Outcome, Verdict

MACHINE = Environment(
    cpu="AMD EPYC 7B13 64-Core Processor",
    cpu_flags=("fma", "avx2", "bmi2", "sha_ni", "vaes"),
    cores=(0, 1),
    threads=2,
    governor="performance",
    load=0.31,
    foreign_cores=0.04,
    memory=8 * 2**30,
    platform="Linux-6.1.0-x86_64-with-glibc2.36",
    python="3.11.2",
    torch="2.13.0+cpu",
    hotloop="0.1.0",
    git_revision="af3b2c5d1e",
    git_dirty=True,
    argv=("hotloop", "tune", "examples/digits_cnn.py", "--", "--epochs", "3"),
    variables={"OMP_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "2"},
    allocators={"tcmalloc": "libtcmalloc_minimal.so.4", "jemalloc": "not installed"},
    compiler="g++ 12.2.0",
)

ALLOCATOR = {"name": "allocator", "library": "tcmalloc"}
CHANNELS_LAST = {"name": "channels_last"}
COMPILE = {"name": "compile", "mode": "default"}
PASSED = tuple(
    Verdict(gate=gate, outcome=Outcome.PASS, message=message)
    for gate, message in (
        ("applies", "It acts on this workload."),
        ("runs", "It ran 120 steps without a warning."),
        ("drift", "All 60 losses stay inside the band of 5 baseline runs."),
    )
)


def _interval(low: float, median: float, high: float) -> Interval:
    return Interval(low=low, ratio=median, high=high)


def _speed(outcome: Outcome, message: str) -> Verdict:
    return Verdict(gate="speed", outcome=outcome, message=message, numbers={"margin": 0.02, "floor": 0.03})


def _trial(change: str, speedup: Interval, *, kept: bool, reason: str, plan=(), against: str = "nothing") -> Trial:
    outcome = Outcome.PASS if kept else Outcome.INCONCLUSIVE if speedup.high > 1.03 else Outcome.FAIL
    return Trial(
        plan=tuple(plan),
        title=change,
        change=change,
        against=against,
        kept=kept,
        reason=reason,
        speedup=speedup,
        aa=_interval(0.985, 1.002, 1.017),
        verdicts=(*PASSED, _speed(outcome, f"Lower bound {speedup.low:.2f}x against a threshold of 1.03x.")),
        startup_seconds=2.9 if "compile" not in change else 31.4,
        memory=Memory(rss=int(speedup.ratio * 300 * 2**20)),
        replicates=6,
    )


def _refused(change: str, gate: str, reason: str) -> Trial:
    return Trial(
        plan=({"name": change},),
        title=change,
        change=change,
        against="allocator(library=tcmalloc)",
        reason=reason,
        verdicts=(Verdict(gate=gate, outcome=Outcome.FAIL, message=reason),),
    )


def _trials() -> tuple[Trial, ...]:
    first = "allocator(library=tcmalloc)"
    second = f"{first} + channels_last"
    return (
        _trial("allocator(library=tcmalloc)", _interval(1.148, 1.163, 1.177), kept=True, reason="faster beyond noise"),
        _trial("allocator(library=jemalloc)", _interval(0.981, 1.012, 1.044), kept=False, reason="within noise"),
        _trial("threads(num=1)", _interval(0.611, 0.634, 0.661), kept=False, reason="slower", against=first),
        _trial("channels_last", _interval(1.068, 1.091, 1.115), kept=True, reason="faster beyond noise", against=first),
        _trial(
            "compile(mode=default)",
            _interval(1.398, 1.441, 1.492),
            kept=True,
            reason="faster beyond noise",
            against=second,
        ),
        _refused("cudnn_benchmark", "applies", "does not apply here because this machine has no GPU"),
        _refused(
            "matmul_precision(precision=medium)",
            "drift",
            "the loss leaves the band of the baseline's own noise at step 41 of 60: 0.412 against 0.371 at most",
        ),
        _trial(
            "without channels_last",
            _interval(0.921, 0.944, 0.968),
            kept=False,
            against=f"{second} + compile",
            reason="the plan is slower without it, so it stays",
        ),
    )


def _curves() -> Curves:
    baseline = tuple(2.3 * math.exp(-step / 18) + 0.12 + 0.03 * math.sin(step * 1.7) for step in range(60))
    width = tuple(0.05 + 0.06 * math.exp(-step / 25) for step in range(60))
    return Curves(
        baseline=baseline,
        low=tuple(b - w for b, w in zip(baseline, width, strict=True)),
        high=tuple(b + w for b, w in zip(baseline, width, strict=True)),
        plan=tuple(b + 0.02 * math.sin(step) for step, b in enumerate(baseline)),
    )


@pytest.fixture(scope="session")
def proven() -> Result:
    return Result(
        workload="examples/digits_cnn.py --epochs 3",
        verdict=Outcome.PASS,
        message="Six replicates agree; the lower bound clears 1.03x.",
        speedup=_interval(1.79, 1.84, 1.90),
        aa=_interval(0.985, 1.002, 1.017),
        clock=Clock.CPU,
        plan=(ALLOCATOR, CHANNELS_LAST, COMPILE),
        payback_steps=1781,
        payback_seconds=34.0,
        trials=_trials(),
        environment=MACHINE,
        evidence="out/demo/evidence",
        command="hotloop tune examples/digits_cnn.py --out out/demo -- --epochs 3",
        verdicts=(*PASSED, _speed(Outcome.PASS, "Lower bound 1.79x against a threshold of 1.03x.")),
        baseline_step=0.0352,
        tuning_seconds=252.0,
        curves=_curves(),
        notes=("Another process used 0.04 cores on average: no contention.", "jemalloc: apt install libjemalloc2."),
    )


@pytest.fixture(scope="session")
def untold() -> Result:
    return Result(
        workload="train.py",
        verdict=Outcome.INCONCLUSIVE,
        message="The A/A run differs by up to 31 %, so no effect below that can be told apart from noise.",
        speedup=None,
        aa=None,
        clock=Clock.WALL,
        plan=(),
        payback_steps=None,
        payback_seconds=None,
        trials=(),
        environment=MACHINE,
        evidence="",
        command="hotloop tune train.py",
    )
