"""Weights of a model in a safetensors file of their own; nothing is unpickled."""

from pathlib import Path

from torch import nn

from hotloop.errors import ConfigError
from hotloop.whole_file import whole_file


def write_weights(path: Path, model: nn.Module) -> None:
    """Write the state of a model, whole or not at all; folders are made."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with whole_file(path) as temporary:
        save_file(state, temporary)


def read_weights(path: Path, model: nn.Module) -> None:
    """Put the state in a file into a model that was built alike. Raises ConfigError where it was not."""
    from safetensors.torch import load_file

    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, OSError) as error:
        raise ConfigError(f"{path} does not fit the model ({error}); build it with the config of that run") from error
