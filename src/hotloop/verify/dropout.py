"""How the modules of a model train: their train flags and their dropout rates; and dropout switched off."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from hotloop.verify.job_state import plain_name


@dataclass(frozen=True, kw_only=True)
class ModuleMode:
    """How one module trains: its train flag, and its dropout rates by attribute."""

    training: bool
    rates: Mapping[str, float]


def modes(model: nn.Module) -> dict[str, ModuleMode]:
    """How each module trains, by name."""
    return {plain_name(name): ModuleMode(training=m.training, rates=_rates(m)) for name, m in model.named_modules()}


def silence(model: nn.Module) -> None:
    """Set every dropout rate that a module keeps as an attribute to 0.

    Compiled code draws another random stream than eager, so that no two runs could be compared with dropout active.
    """
    for module in model.modules():
        for name in _rates(module):
            setattr(module, name, 0.0)


def _rates(module: nn.Module) -> dict[str, float]:
    names = [name for name in vars(module) if "dropout" in name or "drop_prob" in name]
    if isinstance(module, nn.modules.dropout._DropoutNd):  # pyright: ignore[reportPrivateUsage]
        names.append("p")
    values = {name: getattr(module, name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, float)}
