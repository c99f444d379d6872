import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from hotloop.measurement import Block, Clock, Environment, Interval, Memory
from hotloop.records.evidence import Command
from hotloop.trial import Curves, Result, Trial
from hotloop.verdict import Outcome, Verdict
from hotloop.workload import Script


@pytest.fixture
def block() -> Block:
    return Block(replicate=1, round=2, arm="candidate", wall=(0.1, 0.25), cpu=(0.1, 0.2), losses=(2.0, float("nan")))


@pytest.fixture
def trial() -> Trial:
    return Trial(
        plan=({"name": "compile", "mode": "default"},),
        title="compile(mode=default)",
        change="compile",
        kept=True,
        reason="1.42 times as fast",
        speedup=Interval(ratio=1.42, low=1.3, high=float("inf")),
        verdicts=(Verdict(gate="drift", outcome=Outcome.PASS, message="inside the band", numbers={"worst": 0.5}),),
        startup_seconds=3.5,
        memory=Memory(rss=2**28),
        replicates=3,
    )


@pytest.fixture
def result(cpu_machine: Environment, trial: Trial) -> Result:
    return Result(
        workload="train.py --epochs 3",
        verdict=Outcome.PASS,
        message="1.42 times as fast",
        speedup=Interval(ratio=1.42, low=1.3, high=1.5),
        aa=None,
        clock=Clock.CPU,
        plan=trial.plan,
        payback_steps=40,
        payback_seconds=2.5,
        trials=(),
        environment=cpu_machine,
        evidence="out/evidence",
        command="hotloop tune train.py -- --epochs 3",
        curves=Curves(baseline=(2.0, 1.0)),
    )


@pytest.fixture
def command(tmp_path: Path) -> Command:
    script = Script(path=Path("train.py"), arguments=("--epochs", "3"), folder=tmp_path)
    return Command(
        verb="tune", workload=script, line="hotloop tune train.py -- --epochs 3", options={"budget": 60.0, "only": None}
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def history_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a history that is empty, and of nobody else."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.db'}"
        return
    server = os.environ.get("HOTLOOP_TEST_POSTGRES")
    if not server:
        pytest.skip("HOTLOOP_TEST_POSTGRES is not set; .ci/postgres start prints a URL for it")
    schema, engine = f"test_{uuid4().hex}", create_engine(server)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{server}?options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
