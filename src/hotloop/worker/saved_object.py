"""What a watched program saved, reduced to its leaves: enough to compare two runs, too little to be a copy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "cannot be compared: "  # begins the kind of a leaf that nobody can look into


@dataclass(frozen=True, kw_only=True)
class SavedLeaf:
    """One value inside of what was saved.

    `kind` is its type, with dtype and shape of a tensor. A tensor of real numbers has a `sketch`, which belongs to the
    vector `group`; a float has a `number`; anything else has a `text`, of which equal values have equal ones.
    """

    kind: str
    group: str = ""
    sketch: tuple[float, ...] = ()
    number: float | None = None
    text: str = ""

    @property
    def can_be_compared(self) -> bool:
        """Whether its value is known."""
        return not self.kind.startswith(UNKNOWN)

    def to_data(self) -> list[Any]:
        """As JSON data, short."""
        return [self.kind, self.group, list(self.sketch), self.number, self.text]

    @staticmethod
    def from_data(data: Sequence[Any]) -> "SavedLeaf":
        """The inverse of `to_data`."""
        kind, group, sketch, number, text = data
        return SavedLeaf(kind=kind, group=group, sketch=tuple(sketch), number=number, text=text)


FINAL_STATE = "the final state"


@dataclass(frozen=True, kw_only=True)
class SavedObject:
    """One object given to torch.save after `step` steps, or the final state; its leaves by the path that leads to them.

    `digest` is a checksum of paths and kinds. A run with very many saves keeps no leaves of the later ones.
    """

    title: str
    step: int
    digest: int
    leaves: Mapping[str, SavedLeaf]

    def to_data(self) -> dict[str, Any]:
        """As JSON data."""
        leaves = [[path, *leaf.to_data()] for path, leaf in self.leaves.items()]
        return {"title": self.title, "step": self.step, "digest": self.digest, "leaves": leaves}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> "SavedObject":
        """The inverse of `to_data`."""
        leaves = {path: SavedLeaf.from_data(leaf) for path, *leaf in data["leaves"]}
        return SavedObject(title=data["title"], step=data["step"], digest=data["digest"], leaves=leaves)


def read_saves(data: Iterable[Mapping[str, Any]]) -> tuple[SavedObject, ...]:
    """Those in a worker's message."""
    return tuple(map(SavedObject.from_data, data))
