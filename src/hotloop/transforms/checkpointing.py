"""Activation checkpointing of the blocks of a model: less memory, and part of the forward pass twice."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import nn

    from hotloop.compile.checkpointing import Checkpointed

_BLOCKS = 2  # of a kind; fewer than for compiling, as each block saves by itself


class Checkpointing(TransformBase):
    """Recomputes the activations of each `every`-th repeated block in the backward pass; random numbers are the same.

    `keep` says what is not recomputed: nothing but the inputs of a block, or the products as well (outputs of matrix
    products, convolutions and attention), which are what takes time. Blocks whose forward pass cannot be run twice
    (hooks, buffers or inputs changed in place, attributes changed) are refused; the running statistics of batch norm
    are updated once.
    """

    every: Annotated[int, AtLeast(1)] = 1
    keep: Literal["nothing", "products"] = "nothing"

    name = "checkpointing"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward")
    saves_memory = True

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        kept = None if self.keep == "nothing" else "but products"
        return " ".join(filter(None, ["recompute", None if self.every == 1 else f"1 of {self.every}", kept]))

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """All blocks, every second, and all but their products."""
        return cls(), cls(every=2), cls(keep="products")

    def apply(self, site: "nn.Module") -> None:
        """Act on the blocks of one root. Raises NotApplicable where none repeats, or one cannot be recomputed."""
        from hotloop.compile.blocks import kind_of, repeated_blocks
        from hotloop.compile.checkpointing import Checkpointed, check_checkpointable
        from hotloop.compile.root_call import call_around, instead_of_call, own_compiled

        if own_compiled(instead_of_call(site)):
            raise NotApplicable("the whole model is compiled; let compile recompute instead, by its memory_budget")
        blocks = repeated_blocks(site, least=_BLOCKS)[:: self.every]
        for block in blocks:
            check_checkpointable(block)
        around = {kind_of(block): Checkpointed(keeps_products=self.keep == "products") for block in blocks}
        for block in blocks:
            call_around(block, around[kind_of(block)])
        applied.extend(around.values())

    def confirm(self) -> None:
        """No block may have refused, and one must have been called twice, since its first call is only watched."""
        refused = [around.why_not for around in applied if around.why_not]
        if refused:
            raise NotApplicable(refused[0])
        if not any(around.calls for around in applied):
            raise NotApplicable("no block was called a second time with gradients, so that nothing was recomputed")


applied: list["Checkpointed"] = []  # of this process; they hold no module
