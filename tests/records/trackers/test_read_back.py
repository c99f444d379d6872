"""What trackers wrote, read back by their own libraries; each test is skipped where its library is not installed."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotloop.records.tracking import TrackedRun, track

RUN = TrackedRun(
    name="train.py --epochs 3",
    verb="tune",
    facts={"verdict": "PASS", "torch": "2.13.0"},
    figures={"speedup": 1.5, "nets_mlp/batch 4/step_ms": 2.25},
)
WHY = "is not installed: pip install 'hotloop[track]'"
pytestmark = pytest.mark.filterwarnings("ignore")  # these libraries warn of their own affairs


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason=f"tensorboard {WHY}")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert track(["tensorboard"], RUN) == []
    (folder,) = (tmp_path / "runs").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    assert {name: events.Scalars(name)[0].value for name in events.Tags()["scalars"]} == RUN.figures
    (text,) = events.Tensors("verdict/text_summary")
    assert text.tensor_proto.string_val == [b"PASS"]


def test_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason=f"mlflow-skinny {WHY}")
    pytest.importorskip("alembic", reason=f"alembic, with which MLflow makes its SQLite store, {WHY}")
    store = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert track(["mlflow"], RUN) == []
    assert track(["mlflow"], RUN) == []
    client = mlflow.MlflowClient(store)
    found = client.search_runs([client.get_experiment_by_name("hotloop").experiment_id])
    assert len(found) == 2
    assert found[0].data.metrics == RUN.figures
    assert found[0].data.tags["verdict"] == "PASS"
    assert found[0].info.status == "FINISHED"


def test_wandb_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason=f"wandb {WHY}")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert track(["wandb"], RUN) == []
    wandb.teardown()  # its own process writes the file, as late as at the exit of this one
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    history, config = {}, {}
    for data in leveldb_records(file.read_bytes()[7:]):
        record = wandb_internal_pb2.Record.FromString(data)
        history |= {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
    assert {name: history[name] for name in RUN.figures} == RUN.figures
    assert config["verdict"] == "PASS"


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """Records of a log in the format of LevelDB, in which an offline run lies after a header of seven bytes."""
    place, parts = 7, b""
    data = b"\0" * 7 + data
    while place + 7 <= len(data):
        if 2**15 - place % 2**15 < 7:  # no header fits into the rest of a block
            place += 2**15 - place % 2**15
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""
