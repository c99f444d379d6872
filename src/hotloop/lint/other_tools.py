"""Rules of other tools that belong to the catalogue, so that they are turned on and not written again.

Chosen by running ruff 0.17 and TorchFix 0.7 over a file with 26 planted patterns.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OtherToolRule:
    """One rule of another tool: its code, what it finds, and which of our codes it covers or helps."""

    tool: str
    code: str
    what: str
    covers: str


OTHER_TOOLS = (
    OtherToolRule(tool="ruff", code="BLE001", what="`except Exception` without a raise", covers="ME09"),
    OtherToolRule(tool="ruff", code="E722", what="bare `except`", covers="ME09"),
    OtherToolRule(tool="ruff", code="S110, S112", what="`except: pass` and `except: continue`", covers="ME09"),
    OtherToolRule(tool="ruff", code="G004", what="f-string in a log call; knows no tensors", covers="SY06"),
    OtherToolRule(tool="ruff", code="F811", what="a name defined twice; misses some methods", covers="ME10"),
    OtherToolRule(tool="ruff", code="PLC0415", what="an import inside a function, hot or not", covers="ME11"),
    OtherToolRule(tool="TorchFix", code="TOR401", what="a loader without workers", covers="DA06"),
    OtherToolRule(
        tool="TorchFix", code="TOR0, TOR1, TOR2", what="removed, deprecated and unsafe functions", covers="hygiene"
    ),
)
