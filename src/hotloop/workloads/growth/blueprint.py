"""Blueprints: what a seed may be, found by file name; the actions of a controller are generated from them."""

from typing import Any, ClassVar, Protocol

from torch import nn

from hotloop import registry
from hotloop.errors import WorkloadError

KIND = "blueprints"


class Blueprint(Protocol):
    """A class that makes seeds; a file in `blueprints/`, or an entry point in the group hotloop.blueprints.

    `hosts` are the kinds of hosts it is for: "cnn" (features (B, C, H, W)), "transformer" (B, T, C), causal.
    """

    name: ClassVar[str]
    hosts: ClassVar[frozenset[str]]

    @staticmethod
    def build(channels: int) -> nn.Module:
        """A module that keeps the shape of features of so many channels; its weights drawn from torch's generator."""
        ...


def blueprint_names(host: str) -> tuple[str, ...]:
    """Sorted names of all blueprints for a kind of host. Raises WorkloadError where there is none."""
    found = tuple(name for name in registry.names(KIND) if host in registry.load(KIND, name).hosts)
    if not found:
        raise WorkloadError(f"no blueprint is for hosts of kind {host!r}; register one under hotloop.{KIND}")
    return found


def build_seed(name: str, *, host: str, channels: int) -> nn.Module:
    """A new seed. Raises WorkloadError for a blueprint that is unknown or of another kind of host."""
    if name not in (known := blueprint_names(host)):
        raise WorkloadError(f"no blueprint {name!r} is for hosts of kind {host!r}; there are {', '.join(known)}")
    blueprint: Any = registry.load(KIND, name)
    return blueprint.build(channels)
