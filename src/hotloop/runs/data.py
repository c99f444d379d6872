"""The arrays of a run: X, y, context and prices of the parts train, val and test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotloop.errors import ConfigError
from hotloop.runs.config import DataConfig
from hotloop.runs.named import load_named

PARTS = ("train", "val", "test")
_NAMES = ("X", "y", "context", "prices")
Arrays = dict[str, NDArray[Any]]


def load_arrays(data: DataConfig, *, folder: Path, also: tuple[str, ...] = ()) -> Arrays:
    """The arrays that `data` names, with the keys X_train, ..., prices_test, and those in `also`.

    Raises ConfigError for a missing file or X_train, keys that are not known, and parts of different lengths.
    """
    arrays = _read(folder / data.npz) if data.npz is not None else _loaded(data, folder)
    known = {f"{name}_{part}" for name in _NAMES for part in PARTS} | set(also)
    if unknown := sorted(set(arrays) - known):
        raise ConfigError(f"the data has the keys {', '.join(unknown)}; allowed are {', '.join(sorted(known))}")
    if "X_train" not in arrays:
        raise ConfigError(f"the data has the keys {', '.join(sorted(arrays)) or 'none'}; X_train is needed: add it")
    for key, values in arrays.items():
        part = key.rpartition("_")[2]
        if part in PARTS and f"X_{part}" in arrays and len(values) != len(arrays[f"X_{part}"]):
            raise ConfigError(
                f"{key} has {len(values)} rows and X_{part} {len(arrays[f'X_{part}'])}; they must be as long: cut them"
            )
    return arrays


def _read(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        raise ConfigError(f"no such file: {path}; data.npz is relative to the config: correct it") from error
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} is no NumPy archive of plain arrays ({error}); write it with numpy.savez") from error


def _loaded(data: DataConfig, folder: Path) -> Arrays:
    assert data.loader is not None
    loader = load_named(data.loader, folder=folder)
    try:
        found = loader(**data.kwargs)
    except TypeError as error:
        raise ConfigError(f"data.loader {data.loader} with {data.kwargs}: {error}; correct data.kwargs") from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"data.loader {data.loader} returned a {type(found).__name__}; a mapping of arrays is needed")
    return {str(key): np.asarray(value) for key, value in found.items()}
