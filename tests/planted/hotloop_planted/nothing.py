"""A transform that is all talk."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Nothing(Planted):
    """Says that it applied, and changed nothing."""

    name: ClassVar[str] = "nothing"

    def apply(self, site: Any) -> None:
        """Do nothing."""
