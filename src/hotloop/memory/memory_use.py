"""MemoryUse: what one training step of a program keeps in memory; the document that `hotloop memory --json` prints."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hotloop.measurement import Environment

SCHEMA = 1
RESERVE = 0.1  # of a card: the CUDA context, cuDNN's workspaces, and what the caching allocator cannot use


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """Bytes of tensors in one step: by what they hold, each at its own most, and `peak` of all at once.

    `at_peak` divides the peak; `by_module` has {"module", "parameters_bytes", "activations_bytes"}, most first, where
    "" is what no module made. `batch` is the number of samples that the first model was called with (0: unknown), and
    `sample_bytes` what each adds to the peak, or None where that could not be found; `method` says how it was.
    """

    workload: str
    parameters: int
    buffers: int
    gradients: int
    optimizer: int
    activations: int
    peak: int
    at_peak: Mapping[str, int]
    by_module: tuple[Mapping[str, Any], ...]
    batch: int
    sample_bytes: float | None
    method: str
    environment: Environment
    cards: Mapping[str, int] = field(default_factory=dict[str, int])

    def largest_batch(self, capacity: int) -> int | None:
        """Samples a batch with which the peak fits into `capacity` bytes less the reserve of a tenth; None: unknown.

        The peak is taken to grow by `sample_bytes` with each sample. That holds while the peak lies where activations
        are most; where it lies in the optimizer's step instead, a few more samples than this would fit.
        """
        if self.sample_bytes is None:
            return None
        room = capacity * (1.0 - RESERVE) - self.peak
        return max(0, int(self.batch + room / self.sample_bytes))

    def to_data(self) -> dict[str, Any]:
        """The JSON document, schema 1."""
        return {
            "schema": SCHEMA,
            "workload": self.workload,
            "parameters_bytes": self.parameters,
            "buffers_bytes": self.buffers,
            "gradients_bytes": self.gradients,
            "optimizer_bytes": self.optimizer,
            "activations_bytes": self.activations,
            "peak_bytes": self.peak,
            "at_peak": dict(self.at_peak),
            "by_module": [dict(row) for row in self.by_module],
            "batch": self.batch,
            "bytes_per_sample": self.sample_bytes,
            "method": self.method,
            "largest_batch": {name: self.largest_batch(capacity) for name, capacity in self.cards.items()},
            "environment": {"cpu": self.environment.cpu, "torch": self.environment.torch},
        }

    def to_json(self) -> str:
        """The text of the document: indented, no NaN."""
        return json.dumps(self.to_data(), indent=2, allow_nan=False) + "\n"
