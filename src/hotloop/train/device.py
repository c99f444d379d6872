"""Devices by name, checked before anything is built on them."""

import re

import torch

_TYPES = ("cpu", "cuda", "mps", "xpu")
_FORM = re.compile(rf"({'|'.join(_TYPES)})(?::(\d+))?")


def checked_device(given: str | torch.device) -> torch.device:
    """The device that `given` names and this machine has; for "auto" CUDA where there is one, else the CPU.

    Raises ValueError for anything else, without making a tensor.
    """
    if given == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = _FORM.fullmatch(str(given))
    if match is None:
        raise ValueError(f"got {str(given)!r}; allowed devices are auto, {', '.join(_TYPES)} and cuda:<n>: write one")
    kind, index = match[1], int(match[2] or 0)
    count = _count(kind)
    if index >= count:
        has = f"only {count} of that type, numbered from 0" if count else f"no {kind}"
        raise ValueError(f"got {str(given)!r}, and this machine has {has}: choose another device, or 'auto'")
    return torch.device(str(given))


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "xpu":
        return torch.xpu.device_count() if torch.xpu.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())
