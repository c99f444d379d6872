"""Loaders that leave out most examples that are learned already."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import Promise, Stage, TransformBase

if TYPE_CHECKING:
    from hotloop.train.selection.program_selection import ProgramSelection

_OWN = ("sampler", "batch_sampler")


class SelectiveSampling(TransformBase):
    """Once most examples of a shuffled loader are easy by their last known loss, a pass holds a share `keep` of those.

    Losses are taken where the program calls a loss function of torch.nn.functional; there is no extra forward. It gains
    late in training on separable classes, and keeps itself off elsewhere. What it claims is time to a target loss; the
    loss that is compared, and that the program sees, is the one estimated for all examples.
    """

    keep: Annotated[float, AtLeast(0.01)] = 0.1

    name = "selective_sampling"
    stage = Stage.DATA

    def __post_init__(self) -> None:
        """Raise ValueError for an option that is not allowed."""
        super().__post_init__()
        if self.keep > 1:
            raise ValueError(f"keep: got {self.keep}; a share of at most 1 is allowed")

    @property
    def promise(self) -> Promise:
        """Another training that should learn the same."""
        return Promise.STATISTICAL

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return f"hard examples + {self.keep:.0%}"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """One in ten of the easy ones."""
        return (cls(),)

    def apply(self, site: dict[str, Any]) -> None:
        """Give one loader another sampler. Raises NotApplicable for what is not a shuffled loader of batches."""
        from torch.utils.data import IterableDataset

        from hotloop.train.selection.program_selection import ProgramSampler, ProgramSelection

        if isinstance(site["dataset"], IterableDataset):
            raise NotApplicable("an IterableDataset cannot be asked for some of its examples")
        if any(site.get(name) is not None for name in _OWN):
            raise NotApplicable("the program draws its examples by a sampler of its own")
        if not site.get("shuffle") or site.get("batch_size", 1) is None:
            raise NotApplicable("the loader does not shuffle batches: it is no loader to train from")
        sampler = ProgramSampler(
            len(site["dataset"]),
            batch_size=site.pop("batch_size", 1),
            drop_last=site.pop("drop_last", False),
            keep=self.keep,
        )
        site.pop("shuffle")
        site["batch_sampler"] = sampler
        if installed.selection is None:
            installed.selection = ProgramSelection()
            installed.selection.install()
        installed.selection.samplers.append(sampler)

    def confirm(self) -> None:
        """Raise NotApplicable where the losses of single examples were never seen."""
        if not any(sampler.num_losses for sampler in _samplers()):
            raise NotApplicable(
                "no loss of single examples was seen: the program must call cross_entropy, nll_loss, mse_loss or "
                "binary_cross_entropy_with_logits of torch.nn.functional, or its module, once a batch, with the plain "
                "mean and without weights"
            )

    def figures(self) -> Mapping[str, float]:
        """Examples that batches stand for, over those that were trained on, and whether selection is on by now."""
        trained = sum(sampler.num_trained for sampler in _samplers())
        if not trained:
            return {}
        offered = sum(sampler.num_offered for sampler in _samplers())
        return {
            "backward_ratio": offered / trained,
            "is_selecting": float(any(sampler.is_active for sampler in _samplers())),
        }


class _Installed:
    """The selection of the program of this process."""

    selection: "ProgramSelection | None" = None


installed = _Installed()


def _samplers() -> list[Any]:
    return [] if installed.selection is None else list(installed.selection.samplers)
