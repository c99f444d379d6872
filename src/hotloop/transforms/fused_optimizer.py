"""The optimizer's update in one kernel (fused), or one kernel for each operation over all parameters (foreach)."""

import inspect
from collections.abc import Callable
from typing import Any, Literal, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import OptimizerSite, Stage, TransformBase


class FusedOptimizer(TransformBase):
    """Builds the program's own optimizers with fused=True or foreach=True. The same update, rounded elsewhere."""

    implementation: Literal["fused", "foreach"] = "fused"

    name = "fused_optimizer"
    stage = Stage.OPTIMIZER
    affects_phases = ("optimizer",)
    changes_settings = ("fused", "foreach")
    roundoff = 2.0**-24

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return self.implementation

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Fused, then foreach, which is torch's own default on CUDA."""
        return (cls(implementation="fused"),) if environment.has_cuda else (cls(), cls(implementation="foreach"))

    def apply(self, site: OptimizerSite) -> None:
        """Set the flag of one optimizer before it is built."""
        if self.implementation not in site.defaults:
            raise NotApplicable(f"torch has no {self.implementation} {site.kind.__name__}")
        asked = [flag for flag in ("fused", self.implementation) if site.defaults.get(flag)]
        if asked:
            raise NotApplicable(f"the program itself asks for a {asked[0]} {site.kind.__name__}")
        if site.defaults.get("differentiable"):
            raise NotApplicable(f"a differentiable {site.kind.__name__} cannot be {self.implementation}")
        if self.implementation == "fused" and any(getattr(part, "is_complex", bool)() for part in site.parameters):
            raise NotApplicable(f"some parameters are complex, for which torch has no fused {site.kind.__name__}")
        if _has_own_step(site.kind):
            raise NotApplicable(f"{site.kind.__name__} has a step of its own, which does not look at the flag")
        site.defaults.update(
            {flag: flag == self.implementation for flag in ("fused", "foreach") if flag in site.defaults}
        )
        _note_kernels(_KERNELS[self.implementation])

    def confirm(self) -> None:
        """A kernel of the implementation must have been called."""
        if not called & set(_KERNELS[self.implementation]):
            raise NotApplicable(f"no {self.implementation} kernel has been called")


# What the steps of torch.optim call: one kernel for each fused optimizer; each foreach one calls some of the others.
_KERNELS = {
    "fused": ("_fused_adam_", "_fused_adamw_", "_fused_sgd_", "_fused_adagrad_"),
    "foreach": ("_foreach_add_", "_foreach_lerp_", "_foreach_mul_", "_foreach_addcmul_"),
}


called: set[str] = set()  # names of kernels that the program of this process has called


def _note_kernels(names: tuple[str, ...]) -> None:
    """Look at the first call of each kernel; torch has its own function back from then on."""
    import torch

    for name in names:
        original = getattr(torch, name, None)
        if original is not None and name not in called and not hasattr(original, "notes_call"):
            setattr(torch, name, _noting(name, original))


def _noting(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    def noted(*args: Any, **kwargs: Any) -> Any:
        called.add(name)
        if not torch.compiler.is_compiling():
            setattr(torch, name, original)
        return original(*args, **kwargs)

    noted.notes_call = True  # pyright: ignore[reportFunctionMemberAccess]
    return noted


def _has_own_step(kind: type) -> bool:
    """Whether an optimizer's step is neither torch's nor calls that of its base class."""
    step = inspect.unwrap(kind.step)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType]
    return not step.__module__.startswith("torch.optim") and "__class__" not in step.__code__.co_freevars
