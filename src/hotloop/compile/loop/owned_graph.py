"""Graphs live as long as the optimizers that they step, so that a program that drops a model gets its memory back."""

import weakref

from hotloop.compile.loop.given import Given
from hotloop.compile.loop.variant import Variant

_ATTRIBUTE = "_graphs_of_hotloop"


class OwnedGraph:
    """One graph of a region, held by its optimizers; how often it must still be compared with the plain step.

    A graph refers to all that it works on, and the optimizer to the graph: the program alone keeps both alive. What an
    optimizer pickles or copies of itself are its groups and its state.
    """

    def __init__(self, variant: Variant, *, checks_left: int) -> None:
        self.checks_left = checks_left
        self._variant = weakref.ref(variant)
        for optimizer in variant.guards.optimizers:
            vars(optimizer).setdefault(_ATTRIBUTE, []).append(variant)

    def living(self) -> Variant | None:
        """The graph; None where the program has dropped its optimizers."""
        return self._variant()

    def is_of_kind(self, given: Given) -> bool:
        """Whether it is there and was made for values of this kind; nothing holds it afterwards."""
        variant = self._variant()
        return variant is not None and variant.is_of_kind(given)

    def release(self) -> None:
        """Nothing will run it any more."""
        variant = self._variant()
        for optimizer in variant.guards.optimizers if variant is not None else ():
            vars(optimizer)[_ATTRIBUTE].remove(variant)
