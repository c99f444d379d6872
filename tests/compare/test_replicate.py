"""Heats: fresh workers take turns, a plan that fails is dropped, a short program is measured with what there is."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from hotloop.compare.replicate import Pace, Replicate, Setup, Stretches, run_replicate, run_stretches
from hotloop.errors import MeasurementError, NeverStepped, WorkloadCrashed
from hotloop.transform import Plan
from hotloop.worker.process import Settings
from hotloop.workload import Script

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SHORT = Pace(rounds=4)
NOTHING = {"baseline": Plan(), "again": Plan()}
STEPS = """
import torch
from torch.utils.data import DataLoader
model = torch.nn.Linear(64, 64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def step(batch):
    optimizer.zero_grad()
    model(batch).square().mean().backward()
    optimizer.step()
"""
PROGRAMS = {
    "outside.py": STEPS
    + """
for number in range(100_000):
    step(torch.randn(64, 64))
    if number == 1:
        torch.save(model.state_dict(), "{folder}/last.pt")
""",
    "loading.py": STEPS
    + """
for batch in DataLoader(torch.randn(2000, 64), batch_size=1, num_workers=1):
    step(batch)
""",
    "ends.py": STEPS
    + """
for number in range(40):
    step(torch.randn(64, 64))
""",
}


def replicate_of(
    script: str,
    *arguments: str,
    folder: Path,
    arms: Mapping[str, Plan] = NOTHING,
    pace: Pace = SHORT,
    limit: float = 60.0,
) -> Replicate:
    return run_replicate(setup_of(script, *arguments, folder=folder, limit=limit), arms, number=2, pace=pace)


def setup_of(script: str, *arguments: str, folder: Path, limit: float = 60.0) -> Setup:
    home = folder / "home"
    home.mkdir()
    return Setup(
        workload=Script(path=SCRIPTS / script, arguments=arguments, folder=home),
        settings=Settings(folder=folder / "session", variables={"OMP_NUM_THREADS": "1"}, turn_limit=limit),
        baseline="baseline",
        order=random.Random(0),
    )


def plan(name: str, **options: object) -> Plan:
    return Plan.from_data([{"name": name, **options}])


def test_every_arm_has_a_turn_in_every_round_and_what_cannot_run_says_why(tmp_path: Path) -> None:
    arms = {
        **NOTHING,
        "fused": plan("fused_optimizer"),
        "loading": plan("data_loading"),
        "layout": plan("channels_last"),
    }
    replicate = replicate_of("exits.py", folder=tmp_path, arms=arms)
    assert {(block.replicate, block.round, block.arm) for block in replicate.blocks} == {
        (2, number, arm) for number in range(4) for arm in ("baseline", "again", "fused")
    }
    assert {verdict.gate for verdict in replicate.failures.values()} == {"applies"}
    assert "never built a DataLoader" in replicate.failures["loading"].message
    assert replicate.failures.keys() == {"loading", "layout"}
    assert replicate.startup.keys() == replicate.memory.keys() == {"baseline", "again", "fused"}
    assert not replicate.ended_early


def stretches_of(script: str, *arguments: str, folder: Path) -> Stretches:
    setup = setup_of(script, *arguments, folder=folder)
    return run_stretches(setup, NOTHING, number=0, steps=0, seconds=0.3, then=SHORT)


def test_processes_that_had_their_stretches_go_on_in_lockstep(tmp_path: Path) -> None:
    found = stretches_of("exits.py", folder=tmp_path)
    assert found.lockstep is not None
    assert {(block.round, block.arm) for block in found.lockstep.blocks} == {
        (number, arm) for number in range(4) for arm in NOTHING
    }
    stretch, first = found.arms["again"], found.lockstep.rounds("again")[0]
    assert first.losses[0] not in stretch.losses  # later steps of the same training
    assert found.lockstep.startup["again"] == stretch.startup_seconds


@pytest.mark.parametrize("script", ["outside.py", "loading.py"])
def test_they_do_not_where_others_would_find_their_files_or_workers_work_beside(script: str, tmp_path: Path) -> None:
    (tmp_path / script).write_text(PROGRAMS[script].format(folder=tmp_path))
    found = stretches_of(str(tmp_path / script), folder=tmp_path)
    assert found.arms.keys() == NOTHING.keys()
    assert found.lockstep is None
    assert not (tmp_path / "last.pt").exists()


def test_they_do_not_where_the_program_is_near_its_end(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text(PROGRAMS["ends.py"])
    found = stretches_of(str(tmp_path / "ends.py"), folder=tmp_path)
    assert found.lockstep is None
    assert {stretch.steps for stretch in found.arms.values()} == {found.arms["baseline"].steps}


def test_equal_plans_see_equal_losses(tmp_path: Path) -> None:
    replicate = replicate_of("exits.py", folder=tmp_path)
    losses = {arm: [loss for block in replicate.rounds(arm) for loss in block.losses] for arm in NOTHING}
    assert losses["baseline"] == losses["again"]


def test_a_short_program_is_started_again_with_shorter_turns(tmp_path: Path) -> None:
    replicate = replicate_of("short.py", folder=tmp_path, pace=Pace(rounds=12, block_seconds=60.0))
    assert replicate.ended_early
    assert replicate.program_steps == 25
    assert len(replicate.rounds("baseline")) == len(replicate.rounds("again")) >= 3
    assert len({(block.round, block.arm) for block in replicate.blocks}) == len(replicate.blocks)


def test_a_program_too_short_to_be_measured_is_refused_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"ended after 8 steps, and 11 are needed at least"):
        replicate_of("short.py", "--steps", "8", folder=tmp_path)


def test_a_crash_of_the_program_itself_is_raised(tmp_path: Path) -> None:
    with pytest.raises(WorkloadCrashed, match="out of patience at step 7"):
        replicate_of("crashes.py", folder=tmp_path)


def test_a_program_that_hangs_is_raised(tmp_path: Path) -> None:
    with pytest.raises(NeverStepped, match=r"and not the next .* within 1 s"):
        replicate_of("hangs.py", folder=tmp_path, limit=1.0)
