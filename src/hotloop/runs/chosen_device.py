"""The device that a config names."""

import torch

from hotloop.errors import ConfigError
from hotloop.train.device import checked_device


def chosen_device(name: str) -> torch.device:
    """The device of that name; for "auto" CUDA where there is one. Raises ConfigError for others."""
    try:
        return checked_device(name)
    except ValueError as error:
        raise ConfigError(f"device: {error}") from error
