"""Reads the numbers that decide how a program trains: those of optimizers' groups and of modules, at every step."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

Number = float | None
Setting = tuple[str, str, Number]

_OF_MODULES = ("training", "p", "momentum", "eps", "dropout", "drop_prob", "dropout_p", "track_running_stats")


class SettingsLog:
    """Settings by owner and name, each with the steps at which it changed."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str], list[tuple[int, Number]]] = {}

    def add(self, step: int, settings: Iterable[Setting]) -> None:
        """What the settings are in this step."""
        for owner, name, value in settings:
            changes = self._changes.setdefault((owner, name), [])
            if not changes or changes[-1][1] != value:
                changes.append((step, value))

    def to_data(self) -> list[list[Any]]:
        """Owner, name, and (step, value) for each change."""
        return [[owner, name, changes] for (owner, name), changes in self._changes.items()]


def group_settings(title: str, optimizer: Optimizer) -> Iterator[Setting]:
    """Every number of every group of an optimizer."""
    for index, group in enumerate(optimizer.param_groups):
        for name, value in group.items():
            if name != "params":
                yield from _numbers(f"{title}, group {index}", name, value)


def module_settings(roots: Sequence[nn.Module]) -> Iterator[Setting]:
    """Mode, rates, momentum and eps of each module below these roots, and which parameters want a gradient."""
    for index, root in enumerate(roots):
        for path, module in root.named_modules():
            for name in _OF_MODULES:
                yield from _numbers(f"module {index}.{path}", name, vars(module).get(name, _ABSENT))
        for path, parameter in root.named_parameters():
            yield f"parameter {index}.{path}", "requires_grad", float(parameter.requires_grad)


_ABSENT = object()


def _numbers(owner: str, name: str, value: Any) -> Iterator[Setting]:
    if isinstance(value, (tuple, list)):
        for index, part in enumerate(value):
            yield from _numbers(owner, f"{name}[{index}]", part)
    elif isinstance(value, Tensor) and value.numel() == 1:
        yield owner, name, float(value)
    elif value is None or isinstance(value, (bool, int, float)):
        yield owner, name, None if value is None else float(value)
