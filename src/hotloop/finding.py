"""Finding: one rule broken at one place, with evidence, its share of the time, and what cures it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule broken at one line.

    `code` is stable ("SY01"). `cure` says what to do, in words; `transform` names the registered transform that does
    it, where one does. `hot` says whether the line was seen to cost time in a diagnosed run (None: nobody looked).
    Measured findings alone carry `per_step` (events a step), `share` (of the step's wall time, 0 to 1) and
    `amdahl_limit`, the speed-up that removing that share could bring at most, 1 / (1 - share); None where not measured.
    `evidence` holds further counts and times by name, units in the names ("wait_ms").
    """

    code: str
    path: str
    line: int
    message: str
    cure: str
    column: int = 0
    transform: str | None = None
    hot: bool | None = None
    per_step: float | None = None
    share: float | None = None
    amdahl_limit: float | None = None
    evidence: Mapping[str, float | int | str] = field(default_factory=lambda: MappingProxyType({}))
