"""Stages of the loading: lines of a data set, and what they could win."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hotloop.diagnose.call_sites import NOWHERE, SourceLine
from hotloop.diagnose.probe import measured_finding
from hotloop.finding import Finding

FEWEST_SAMPLES = 20
_READING = ("open", "read", "scan", "load", "imread", "decode", "parquet")
_ROWWISE = ("iterrows", "itertuples", "apply")
_CURES = {
    "DA01": "take the column as an array once, and index that",
    "DA03": "do it once when the data set is built",
    "DA04": "decode once, or once a file with a cache, or map the file into memory",
}


@dataclass(frozen=True, kw_only=True)
class LoadingStage:
    """A line at work in `part` of all samples of the loading; `share` of a step could be won there."""

    at: SourceLine
    callee: str
    samples: int
    part: float
    share: float

    def to_data(self) -> Mapping[str, Any]:
        """For the document."""
        return {"path": self.at.path, "line": self.at.line, "callee": self.callee, "share": self.share}

    def finding(self) -> Finding:
        """The line, under the rule that its callee suggests."""
        code = "DA03"
        if any(word in self.callee for word in _ROWWISE):
            code = "DA01"
        elif any(word in self.callee for word in _READING):
            code = "DA04"
        line = f"this line{f' ({self.callee})' if self.callee else ''}"
        return measured_finding(
            self.at,
            code=code,
            share=self.share,
            cure=_CURES[code],
            message=f"{self.part:.0%} of the loading is {line}: {self.share:.0%} of a step",
            evidence={"callee": self.callee, "share_of_loading": self.part},
        )


def stages_of(lines: Counter[tuple[SourceLine, str]], busy: float, waiting: float) -> list[LoadingStage]:
    """Stages of processes that load for `busy` of a step, in which the program waits for `waiting` of it."""
    whole = lines.total()
    if whole < FEWEST_SAMPLES:
        return []
    return [
        LoadingStage(at=at, callee=callee, samples=count, part=count / whole, share=min(waiting, count / whole * busy))
        for (at, callee), count in lines.items()
    ]


def by_line(stages: Sequence[LoadingStage], waiting: float) -> list[LoadingStage]:
    """One stage for each line of the program's own, named for what it calls most."""
    lines: dict[SourceLine, list[LoadingStage]] = {}
    for stage in stages:
        if stage.at != NOWHERE:
            lines.setdefault(stage.at, []).append(stage)
    return [
        replace(
            max(parts, key=lambda stage: stage.samples),
            part=sum(stage.part for stage in parts),
            share=min(waiting, sum(stage.share for stage in parts)),
        )
        for parts in lines.values()
    ]
