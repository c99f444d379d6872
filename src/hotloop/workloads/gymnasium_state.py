"""The state of an environment of gymnasium, as numbers and arrays, so that a run can go on from exactly there."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotloop.errors import WorkloadError

# The environments of this package hold all that changes in plain attributes and in their generator.
_READABLE = "gymnasium.envs.classic_control."
_PLAIN = (bool, int, float, str, type(None))


def read_state(env: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Plain values in JSON types, and arrays, by wrapper and attribute; for `write_state`.

    Raises WorkloadError for environments that keep more than plain attributes, which nothing here could put back.
    """
    if not type(env.unwrapped).__module__.startswith(_READABLE):
        raise WorkloadError(
            f"{type(env.unwrapped).__name__} cannot be kept in a checkpoint; those of {_READABLE[:-1]} can: train "
            "without checkpoints (checkpoint_every = 0)"
        )
    plain: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for place, part in enumerate(_parts(env)):
        for name, value in vars(part).items():
            key = f"{place}.{name}"
            if isinstance(value, np.ndarray):
                arrays[key] = value
            elif isinstance(value, np.generic):
                plain[key] = value.item()
            elif isinstance(value, _PLAIN):
                plain[key] = value
            elif isinstance(value, tuple) and all(isinstance(item, float | int) for item in value):
                plain[key] = {"tuple": [float(item) for item in value]}
    plain["generator"] = env.unwrapped.np_random.bit_generator.state
    return plain, arrays


def write_state(env: Any, plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put back what `read_state` gave, into an environment that was made and reset in the same way."""
    parts = list(_parts(env))
    for key, value in {**plain, **arrays}.items():
        place, _, name = key.partition(".")
        if name:
            was_tuple = isinstance(value, dict)
            setattr(parts[int(place)], name, tuple(value["tuple"]) if was_tuple else value)
    env.unwrapped.np_random.bit_generator.state = plain["generator"]


def _parts(env: Any) -> Iterator[Any]:
    """The wrappers from the outermost, then the environment itself."""
    while env is not env.unwrapped:
        yield env
        env = env.env
    yield env
