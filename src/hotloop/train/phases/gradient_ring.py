"""The last gradients of all parameters as rows of one buffer."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor


class GradientStore(Protocol):
    """Keeps the last `capacity` gradients, each one flat float32 vector, with the steps that they are of."""

    @property
    def steps(self) -> Sequence[int]:
        """The steps of the gradients that are kept, oldest first."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is stored."""
        ...

    def record(self, gradient: Tensor, step: int) -> None:
        """Keep a copy, in place of the oldest one where the store is full."""
        ...

    def combine(self, weights: Sequence[float], out: Tensor) -> Tensor:
        """The sum of the kept gradients, each times its weight (oldest first), written to `out`."""
        ...

    def rows(self) -> Tensor:
        """All gradients that are kept, as rows, oldest first; a copy."""
        ...

    def clear(self) -> None:
        """Forget all gradients."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Tensors and JSON types; tensors are not copied."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`. Raises ValueError for a state of other sizes."""
        ...


class GradientRing:
    """A (capacity, size) float32 buffer on `device`; combining is one matrix-vector product."""

    def __init__(self, size: int, *, capacity: int, device: torch.device | str = "cpu") -> None:
        self._rows = torch.zeros(capacity, size, device=device)
        self._steps: list[int] = []
        self._num_recorded = 0

    @property
    def steps(self) -> Sequence[int]:
        """The steps of the gradients that are kept, oldest first."""
        return tuple(self._steps)

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""
        return self._rows.untyped_storage().nbytes()

    def record(self, gradient: Tensor, step: int) -> None:
        """Copy `gradient`, of shape (size,), over the oldest row."""
        capacity = len(self._rows)
        self._rows[self._num_recorded % capacity].copy_(gradient)
        self._num_recorded += 1
        self._steps = [*self._steps, step][-capacity:]

    def combine(self, weights: Sequence[float], out: Tensor) -> Tensor:
        """The weighted sum, written to `out`, of shape (size,)."""
        capacity, num_kept = len(self._rows), len(self._steps)
        by_row = [0.0] * capacity
        for age, weight in enumerate(reversed(weights)):
            by_row[(self._num_recorded - 1 - age) % capacity] = weight
        vector = torch.tensor(by_row[: min(num_kept, capacity)], dtype=torch.float32)
        vector = vector.to(self._rows.device, non_blocking=True)
        return torch.mv(self._rows[: len(vector)].T, vector, out=out)

    def rows(self) -> Tensor:
        """A copy of the rows, oldest first."""
        capacity = len(self._rows)
        return torch.stack(
            [self._rows[(self._num_recorded - age) % capacity] for age in range(len(self._steps), 0, -1)]
        )

    def clear(self) -> None:
        """Forget all gradients; the buffer stays."""
        self._rows.zero_()
        self._steps, self._num_recorded = [], 0

    def state_dict(self) -> dict[str, Any]:
        """The buffer itself, not a copy, and the steps."""
        return {"rows": self._rows, "steps": list(self._steps), "num_recorded": self._num_recorded}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy another ring in. Raises ValueError where its shape is another."""
        if state["rows"].shape != self._rows.shape:
            raise ValueError(
                f"the state keeps gradients of shape {tuple(state['rows'].shape)}, this run {tuple(self._rows.shape)}; "
                "continue with the same parameters and predictor"
            )
        self._rows.copy_(state["rows"])
        self._steps, self._num_recorded = list(state["steps"]), state["num_recorded"]
