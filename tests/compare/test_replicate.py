"""Heats: fresh workers take turns, a plan that fails is dropped, a short program is measured with what there is."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from hotloop.compare.replicate import Pace, Replicate, Setup, run_replicate
from hotloop.errors import MeasurementError, NeverStepped, WorkloadCrashed
from hotloop.measurement import Block
from hotloop.transform import Plan
from hotloop.worker.process import Settings
from hotloop.workload import Script

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SHORT = Pace(rounds=4)
NOTHING = {"baseline": Plan(), "again": Plan()}


def replicate_of(
    script: str,
    *arguments: str,
    folder: Path,
    arms: Mapping[str, Plan] = NOTHING,
    pace: Pace = SHORT,
    limit: float = 60.0,
    kept: list[Block] | None = None,
) -> Replicate:
    home = folder / "home"
    home.mkdir()
    setup = Setup(
        workload=Script(path=SCRIPTS / script, arguments=arguments, folder=home),
        settings=Settings(folder=folder / "session", variables={"OMP_NUM_THREADS": "1"}, turn_limit=limit),
        baseline="baseline",
        order=random.Random(0),
        keep=[].append if kept is None else kept.append,
    )
    return run_replicate(setup, arms, number=2, pace=pace)


def plan(name: str, **options: object) -> Plan:
    return Plan.from_data([{"name": name, **options}])


def test_every_arm_has_a_turn_in_every_round_and_what_cannot_run_says_why(tmp_path: Path) -> None:
    kept: list[Block] = []
    arms = {
        **NOTHING,
        "fused": plan("fused_optimizer"),
        "loading": plan("data_loading"),
        "layout": plan("channels_last"),
    }
    replicate = replicate_of("exits.py", folder=tmp_path, arms=arms, kept=kept)
    assert {(block.replicate, block.round, block.arm) for block in replicate.blocks} == {
        (2, number, arm) for number in range(4) for arm in ("baseline", "again", "fused")
    }
    assert tuple(kept) == replicate.blocks
    assert {verdict.gate for verdict in replicate.failures.values()} == {"applies"}
    assert "no DataLoader" in replicate.failures["loading"].message
    assert replicate.failures.keys() == {"loading", "layout"}
    assert replicate.startup.keys() == replicate.memory.keys() == {"baseline", "again", "fused"}
    assert not replicate.ended_early


def test_equal_plans_see_equal_losses(tmp_path: Path) -> None:
    replicate = replicate_of("exits.py", folder=tmp_path)
    losses = {arm: [loss for block in replicate.rounds(arm) for loss in block.losses] for arm in NOTHING}
    assert losses["baseline"] == losses["again"]


def test_a_short_program_is_started_again_with_shorter_turns(tmp_path: Path) -> None:
    kept: list[Block] = []
    replicate = replicate_of("short.py", folder=tmp_path, pace=Pace(rounds=12, block_seconds=60.0), kept=kept)
    assert replicate.ended_early
    assert replicate.program_steps == 25
    assert len(replicate.rounds("baseline")) == len(replicate.rounds("again")) >= 3
    assert len({(block.round, block.arm) for block in kept}) == len(kept)


def test_a_program_too_short_to_be_measured_is_refused_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"ended after 8 steps, and 11 are needed at least"):
        replicate_of("short.py", "--steps", "8", folder=tmp_path)


def test_a_crash_of_the_program_itself_is_raised(tmp_path: Path) -> None:
    with pytest.raises(WorkloadCrashed, match="out of patience at step 7"):
        replicate_of("crashes.py", folder=tmp_path)


def test_a_program_that_hangs_is_raised(tmp_path: Path) -> None:
    with pytest.raises(NeverStepped, match=r"and not the next .* within 1 s"):
        replicate_of("hangs.py", folder=tmp_path, limit=1.0)
