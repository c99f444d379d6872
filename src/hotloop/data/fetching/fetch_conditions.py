"""What a batch may depend on beside its index; one that was fetched ahead counts only where all of it is as it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hotloop.data.fetching.dataset_state import changed, state_of
from hotloop.errors import NotApplicable


@dataclass(frozen=True, kw_only=True)
class FetchConditions:
    """The state of a data set, and of what torch keeps for each thread and a fetch can see."""

    dataset: Mapping[str, str]
    has_gradients: bool
    is_inference: bool
    dtype: torch.dtype

    @staticmethod
    def now(dataset: Any) -> "FetchConditions | None":
        """Those of this thread; None under autocast and modes that only this thread has.

        Raises NotApplicable where the data set changes while it is looked at.
        """
        parts: Any = torch._C  # pyright: ignore[reportPrivateUsage]
        is_casting = any(torch.is_autocast_enabled(device) for device in ("cpu", "cuda"))
        if is_casting or parts._len_torch_function_stack() or parts._len_torch_dispatch_stack():
            return None
        try:
            state = state_of(dataset)
        except RuntimeError:  # a dict grew meanwhile
            raise NotApplicable("the data set changes while it is read") from None
        return FetchConditions(
            dataset=state,
            has_gradients=torch.is_grad_enabled(),
            is_inference=torch.is_inference_mode_enabled(),
            dtype=torch.get_default_dtype(),
        )

    def changed_data(self, now: "FetchConditions") -> str | None:
        """The attribute of the data set that is another one now."""
        return changed(self.dataset, now.dataset)

    def same_modes(self, now: "FetchConditions") -> bool:
        """Whether torch would compute the same."""
        return (self.has_gradients, self.is_inference, self.dtype) == (now.has_gradients, now.is_inference, now.dtype)
