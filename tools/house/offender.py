"""A place in the source that a rule speaks about."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, order=True)
class Offender:
    """Where it is (line 0: the whole file), and what is wrong there."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


def as_list(offenders: Iterable[Offender]) -> str:
    """One a line, in the order of the files, below a line that counts them."""
    lines = [str(offender) for offender in sorted(offenders)]
    return "\n".join([f"{len(lines)} offenders", *lines])
