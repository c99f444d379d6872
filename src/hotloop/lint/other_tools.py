"""Rules of other tools that belong to the catalogue, so that they are turned on and not written again.

Source: the survey of ruff 0.17 and TorchFix 0.7 over 26 planted patterns (the catalogue's prior art).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """One rule of another tool: its code, what it finds, and which of our codes it covers or helps (none: hygiene)."""

    tool: str
    code: str
    what: str
    codes: tuple[str, ...]


RUFF = (
    Neighbour(tool="ruff", code="BLE001", what="`except Exception` without a raise", codes=("ME09",)),
    Neighbour(tool="ruff", code="E722", what="bare `except`", codes=("ME09",)),
    Neighbour(tool="ruff", code="S110, S112", what="`except: pass` and `except: continue`", codes=("ME09",)),
    Neighbour(tool="ruff", code="G004", what="f-string in a log call; knows no tensors", codes=("SY06",)),
    Neighbour(tool="ruff", code="F811", what="a name defined twice; misses some methods", codes=("ME10",)),
    Neighbour(tool="ruff", code="PLC0415", what="an import inside a function, hot or not", codes=("ME11",)),
)
TORCHFIX = (
    Neighbour(tool="TorchFix", code="TOR401", what="a loader without workers", codes=("DA06",)),
    Neighbour(tool="TorchFix", code="TOR0, TOR1, TOR2", what="removed, deprecated and unsafe functions", codes=()),
)
