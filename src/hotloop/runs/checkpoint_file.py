"""The file that a run goes on from: tensors and JSON in one safetensors file; nothing is unpickled."""

import json
from pathlib import Path

from hotloop.errors import ConfigError
from hotloop.runs.folder import RunFolder
from hotloop.train.checkpoint import Checkpoint
from hotloop.whole_file import whole_file

STATE = "training.safetensors"


def write_latest(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Make this the checkpoint that the run goes on from."""
    path = _latest(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(path, checkpoint)


def read_latest(folder: RunFolder) -> Checkpoint:
    """The checkpoint that the run goes on from. Raises ConfigError where there is none."""
    return read_checkpoint(_latest(folder))


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    from safetensors.torch import save_file

    with whole_file(path) as temporary:
        save_file(checkpoint.tensors, temporary, metadata={"training": json.dumps(checkpoint.data)})


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file. Raises ConfigError where there is none."""
    from safetensors import safe_open

    if not path.is_file():
        raise ConfigError(f"{path} does not exist: the run was cut off before its first checkpoint; start it anew")
    with safe_open(path, framework="pt") as archive:
        (data,) = map(json.loads, (archive.metadata() or {}).values())  # one entry, whose name has changed
        return Checkpoint(tensors={name: archive.get_tensor(name) for name in archive.keys()}, data=data)  # noqa: SIM118


def _latest(folder: RunFolder) -> Path:
    return folder.checkpoints / "latest" / STATE
