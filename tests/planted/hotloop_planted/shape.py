"""What all planted transforms answer alike."""

from typing import Any, ClassVar, Self

from pydantic import ConfigDict

from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage

STRICT = ConfigDict(extra="forbid")


class Planted:
    """A transform that applies everywhere and says that it only rounds otherwise, which is a lie in most of them."""

    stage: ClassVar[Stage] = Stage.MODULE
    promise: ClassVar[Promise] = Promise.CLOSE
    roundoff: ClassVar[float] = 2.0**-24

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The one there is."""
        return (cls(),)

    def check(self, environment: Environment) -> None:
        """Every machine will do."""

    def confirm(self) -> None:
        """Nothing to look at."""

    def apply(self, site: Any) -> None:
        """Act on one site."""
        raise NotImplementedError
