"""Loss functions by the names that estimators use."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from hotloop.train.strategies.supervised import Score

_KINDS: dict[str, Callable[..., Tensor]] = {
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "mae": functional.l1_loss,
    "smooth_l1": functional.smooth_l1_loss,
    "huber": functional.huber_loss,
}
_PARAMS = {"smooth_l1": "beta", "huber": "delta"}
REDUCTIONS = ("mean", "sum", "none")


def build_loss(kind: str | Callable[..., Tensor], params: Mapping[str, Any] | None, reduction: str) -> Score:
    """A loss of (outputs, targets) that returns one number.

    `params` are `beta` of "smooth_l1", `delta` of "huber", or keywords of a callable. `reduction` "none" leaves a
    callable's tensor to be averaged here; for named losses it is "mean".
    Raises ValueError for a name, a parameter or a reduction that is not known.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"got loss_reduction={reduction!r}; choose one of {', '.join(REDUCTIONS)}")
    given = dict(params or {})
    if callable(kind):

        def reduced(outputs: Tensor, targets: Tensor) -> Tensor:
            value = kind(outputs, targets, **given)
            if value.ndim == 0:
                return value
            return value.sum() if reduction == "sum" else value.mean()

        return reduced
    name = str(kind).strip().lower()
    if name not in _KINDS:
        raise ValueError(f"got loss={kind!r}; choose one of {', '.join(_KINDS)}, or give a function: name one")
    function, allowed = _KINDS[name], {_PARAMS[name]} if name in _PARAMS else set[str]()
    unknown = set(given) - allowed
    if unknown:
        raise ValueError(
            f"got loss_params {sorted(unknown)} for the loss {kind!r}; allowed are {sorted(allowed) or 'none'}: leave "
            "them out"
        )
    kept = "sum" if reduction == "sum" else "mean"
    return lambda outputs, targets: function(outputs, targets, reduction=kept, **given)
