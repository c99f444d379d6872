"""The arrays of a store, mapped from its files: the operating system reads pages when they are touched.

R rows, F features, H horizons, E exposures, S stocks.
"""

import mmap
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.data.panel.manifest import StoreManifest

# Linux's MAP_NORESERVE, which the module has from Python 3.13 on: a private map larger than memory is then allowed.
_NORESERVE = 0x4000 if sys.platform == "linux" else 0
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class PanelArrays:
    """Rows by code and date; pickled as the folder they lie in, so that a worker maps them again.

    The memory is private and copied on writing: who writes into a view changes nobody's store, but what this process
    reads there from then on.
    """

    folder: Path
    features_RF: Tensor
    targets_RH: Tensor
    exposures_RE: Tensor
    day_R: NDArray[np.int32]
    first_S: NDArray[np.int64]

    def __reduce__(self) -> tuple[Callable[[Path], "PanelArrays"], tuple[Path]]:
        return map_arrays, (self.folder,)


def map_arrays(folder: Path) -> PanelArrays:
    """The arrays of the store in `folder`. Raises PanelError where sizes are not those of its store.json."""
    manifest = StoreManifest.read(folder)
    manifest.check_files(folder, hashes=False)
    columns, rows = manifest.columns, manifest.num_rows
    return PanelArrays(
        folder=folder,
        features_RF=_mapped(folder / "features.bin", _DTYPES[manifest.dtype], (rows, len(columns.features))),
        targets_RH=_mapped(folder / "targets.bin", torch.float32, (rows, len(columns.targets))),
        exposures_RE=_mapped(folder / "exposures.bin", torch.float32, (rows, len(columns.exposures))),
        day_R=np.fromfile(folder / "day.bin", np.int32),
        first_S=np.fromfile(folder / "first.bin", np.int64),
    )


def _mapped(file: Path, dtype: torch.dtype, shape: tuple[int, int]) -> Tensor:
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    with file.open("rb") as stream:
        memory: Any = mmap.mmap(
            stream.fileno(), 0, flags=mmap.MAP_PRIVATE | _NORESERVE, prot=mmap.PROT_READ | mmap.PROT_WRITE
        )
    return torch.frombuffer(memory, dtype=dtype).view(shape)
