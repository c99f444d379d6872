"""Machines of a Ray cluster: a module that is written by hand where Ray is, and a local cluster of two nodes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotloop.errors import ClusterError
from hotloop.measurement import Clock
from hotloop.proof.session import Options
from hotloop.records.evidence import load_evidence
from hotloop.tune.ray_machines import RayMachines, open_ray_machines
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit, program_digest

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"


class RayError(Exception):
    """As all errors of Ray's."""


class NoAnswer(RayError, TimeoutError):
    """As Ray's own, of a call that takes too long."""


class Runner:
    """A handle of an actor: each method has a `remote` that gives the answer, or an error to raise, as reference."""

    def __init__(self, **answers) -> None:
        for name, answer in {"close": "", **answers}.items():
            setattr(self, name, SimpleNamespace(remote=lambda *_, answer=answer: answer))


class Ray(SimpleNamespace):
    """As much of Ray as is called: references are the answers themselves."""

    def __init__(self, nodes=(), runners=()) -> None:
        self.runners, self.killed, self.options_given = list(runners), [], []
        super().__init__(exceptions=SimpleNamespace(RayError=RayError), nodes=lambda: list(nodes))

    def get(self, reference, timeout):
        if isinstance(reference, Exception):
            raise reference
        return reference

    def kill(self, runner):
        self.killed.append(runner)

    def remote(self, kind):
        return self

    def options(self, **given):
        self.options_given.append(given)
        return SimpleNamespace(remote=lambda variables: self.runners.pop(0))

    def is_initialized(self):
        return True


def unit():
    return SimpleNamespace(to_json=lambda: "{}")


def test_one_that_gives_no_answer_has_failed_and_is_not_asked_again():
    measured = MeasuredUnit(clock=Clock.CPU)
    runners = {"one": Runner(measure=measured.to_json()), "two": Runner(measure=NoAnswer())}
    machines = RayMachines(Ray(), runners, limit=5.0)
    found = machines.measure({"one": unit(), "two": unit()})
    assert found["one"] == measured
    assert found["two"].failure == "no answer within 5 s: other jobs of the cluster may have its cores"
    assert machines.names == ["one"]


def test_the_last_line_of_an_error_of_ray_is_the_reason():
    machines = RayMachines(
        Ray(), {"one": Runner(measure=RayError("The actor died.\n\n  its node is gone\n"))}, limit=5.0
    )
    assert machines.measure({"one": unit()})["one"].failure == "its node is gone"


@pytest.fixture
def session(program, cpu_machine):
    notes = []
    return SimpleNamespace(
        workload=program("mlp"), environment=cpu_machine, options=Options(), note=notes.append, notes=notes
    )


@pytest.fixture
def opened(monkeypatch, session):
    """Opens machines on a Ray that is written by hand."""

    def open_with(ray):
        strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda **place: place)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setitem(sys.modules, "ray.util", SimpleNamespace(scheduling_strategies=strategies))
        monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)
        return open_ray_machines(session)

    return open_with


def node(name, **resources):
    return {"NodeID": name, "NodeManagerHostname": "host", "Alive": True, "Resources": resources}


def test_a_runner_takes_all_that_ray_counts_on_its_node_and_nodes_of_one_host_have_names_of_their_own(
    opened, session, cpu_machine
):
    here = MachineDescription(environment=cpu_machine, program=program_digest(session.workload)).to_json()
    ray = Ray([node("a", CPU=4.0), node("b", CPU=2.0, GPU=1.0), node("c")], [Runner(describe=here) for _ in "ab"])
    with opened(ray) as machines:
        assert machines.names == ["host", "host (2)"]
    first, second = ray.options_given
    assert (first["num_cpus"], second["num_cpus"], second["num_gpus"]) == (4.0, 2.0, 1.0)
    assert first["scheduling_strategy"] == {"node_id": "a", "soft": False}
    assert len(ray.killed) == 2
    assert session.notes == [
        "host (3) measures nothing: Ray counts no cores there",
        "screened over 2 machines of the Ray cluster: host, host (2)",
    ]


def test_without_a_machine_of_this_kind_the_reasons_are_told(opened, session, cpu_machine):
    other = MachineDescription(environment=cpu_machine, program="another").to_json()
    ray = Ray([node("a", CPU=1.0), node("b", CPU=1.0)], [Runner(describe=other), Runner(describe=NoAnswer())])
    reasons = r"host: the program's file is not there.*; host \(2\): no answer within 60 s"
    with pytest.raises(ClusterError, match=reasons), opened(ray):
        pass
    assert len(ray.killed) == 2


def test_without_ray_the_extra_is_named(monkeypatch, session):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"run pip install 'hotloop\[ray\]'"), open_ray_machines(session):
        pass


def tune(tmp_path, *, address):
    """`hotloop tune --executor ray` on a small program, in a process of its own."""
    call = [sys.executable, "-m", "hotloop", "tune", "mlp.py", "--executor", "ray", "--budget", "60s", "--json"]
    names = ["--only", "fused_optimizer,matmul_precision,math_attention,autocast", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "RAY_ADDRESS": address, "OMP_NUM_THREADS": "1"}
    environment["HOTLOOP_HISTORY"] = f"sqlite:///{tmp_path}/history.sqlite"
    return subprocess.run(
        [*call, *names], cwd=PROGRAMS, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_nodes_of_a_local_cluster_screen_and_what_is_compared_stays_on_one(tmp_path):
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        done = tune(tmp_path, address=cluster.address)
    finally:
        cluster.shutdown()
    assert done.returncode in (0, 1, 3), done.stderr[-3000:]
    result = json.loads(done.stdout)
    assert any(note.startswith("screened over 2 machines of the Ray cluster") for note in result["notes"])
    blocks = load_evidence(tmp_path / "out" / "evidence").blocks
    arms = {title: {block.arm for block in found} for title, found in blocks.items()}
    screened = {title: found for title, found in arms.items() if ", on " in title}
    assert len({title.rpartition(", on ")[2] for title in screened}) == 2
    assert all({"kept", "again"} < found for found in screened.values())
    assert {"baseline", "again", "plan"} in [found for title, found in arms.items() if title not in screened]


@pytest.mark.slow
def test_without_a_cluster_it_is_told_how_to_start_one(tmp_path):
    pytest.importorskip("ray")
    done = tune(tmp_path, address="127.0.0.1:1")
    assert done.returncode == 2
    assert "no Ray cluster could be reached" in done.stderr
    assert "ray start --head" in done.stderr
