"""Why the steps of a loop are not captured, with the line that stands in the way."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A loop that was found, the line in the way, and why; `is_edit` where moving that line would help."""

    file: str
    line: int
    reason: str
    is_edit: bool = False

    def __str__(self) -> str:
        """`file:line: reason`."""
        return f"{self.file}:{self.line}: {self.reason}"
