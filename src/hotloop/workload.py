"""Workload: what to train, a script with its arguments or a recipe; and Job, the live parts of one recipe run."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hotloop.errors import WorkloadError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


@dataclass(frozen=True, kw_only=True)
class Script:
    """An unmodified training program: `path` as the user named it, its arguments, and the folder it runs in.

    A program that is started as `python -m module` has the name of the module, and the path of its file. `python` is
    the interpreter that runs it (empty: the one that runs hotloop), with `import_paths` first on its path. With
    `num_ranks` above 1 it is started that many times at once, as torchrun does.
    """

    path: Path
    arguments: tuple[str, ...] = ()
    folder: Path
    module: str = ""
    python: str = ""
    import_paths: tuple[str, ...] = ()
    num_ranks: int = 1

    @property
    def title(self) -> str:
        """The call in one line, as a person would type it."""
        start = ("torchrun", "--nproc-per-node", str(self.num_ranks)) if self.num_ranks > 1 else ()
        return " ".join([*start, *(("-m", self.module) if self.module else (str(self.path),)), *self.arguments])


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A function `build(seed) -> Job`: `file.py:function`, `matrix.toml:row`, or the name of a registered workload.

    `python` and `import_paths` are those of a script.
    """

    target: str
    seed: int = 0
    folder: Path
    python: str = ""
    import_paths: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The target and the seed in one line."""
        return f"{self.target} (seed {self.seed})"


Workload = Script | Recipe


class Loss(NamedTuple):
    """What a strategy returns for one batch; every tensor stays on the device, nothing is read here.

    `value` is the scalar to differentiate, a mean over `count` items (samples, or tokens that are not ignored: the
    weight with which this batch enters a report). `metrics` are scalars averaged with the same weight.
    """

    value: "Tensor"
    count: "Tensor | int"  # pyright: ignore[reportIncompatibleMethodOverride]  # nobody counts a Loss's items
    metrics: "Mapping[str, Tensor]" = MappingProxyType({})


class Strategy(Protocol):
    """How a batch becomes a loss."""

    def loss(self, model: "nn.Module", batch: Any) -> Loss:
        """The loss of `batch` under `model`, without a host sync."""
        ...


class GradientObserver(Protocol):
    """Sees the gradients of each step where they are whole: after a loss scale was divided out, before clipping."""

    def observe(self) -> None:
        """Take in the gradients of one step; nothing is read."""
        ...

    def packed(self) -> "Tensor":
        """Everything since the last read as one float64 vector on the device."""
        ...

    def unpacked(self, values: Sequence[float]) -> Any:
        """What that vector says, from its numbers on the host; starts again from nothing."""
        ...


class StepFunction(Protocol):
    """How one gradient step is made."""

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`: loss, backward, clipping, optimizer; what comes back is detached, nothing is read."""
        ...


@dataclass(kw_only=True)
class Job:
    """The live parts of one recipe run.

    `batches` can be iterated many times, one pass an epoch. `clip_norm` is the largest gradient 2-norm that a step
    may use (None: no clipping). A `scheduler` steps once after each optimizer step. `step` makes the gradient steps
    (None: eagerly, with the parts above); a transform may put a captured one there. `gradients` sees the gradients of
    each eager step, and of a flat step that was made with it. `phase` says in words what part of training the step is
    in that is made now, for jobs whose model or optimizer changes on the way; the gates name it. Within
    `warmup_steps` all of them have come, so that what they compile is compiled before anything is timed.
    """

    model: "nn.Module"
    optimizer: "Optimizer"
    batches: Iterable[Any]
    strategy: Strategy
    scheduler: "LRScheduler | None" = None
    clip_norm: float | None = None
    step: StepFunction | None = None
    gradients: GradientObserver | None = None
    phase: Callable[[], str] | None = None
    warmup_steps: int = 0


def parse_workload(
    target: str, arguments: tuple[str, ...] = (), *, folder: Path | None = None, is_module: bool = False
) -> Workload:
    """The workload a person named on the command line: `train.py`, `file.py:build`, or a registered name.

    With `is_module` the target is the name of a module, as in `python -m package.train`. Raises WorkloadError where
    the file does not exist or a recipe is given arguments.
    """
    folder = (folder or Path.cwd()).resolve()
    if is_module:
        return Script(path=_file_of(target, folder), arguments=arguments, folder=folder, module=target)
    path, _, function = target.partition(":")
    is_file = path.endswith((".py", ".toml"))
    if is_file and not (folder / path).is_file():
        raise WorkloadError(f"no such file: {path} (looked in {folder}); give the path of a training script")
    if path.endswith(".py") and not function:
        return Script(path=Path(path), arguments=arguments, folder=folder)
    if path.endswith(".toml") and not function:
        raise WorkloadError(
            f"{path} is a matrix, which bench and guard take whole; name one row: {path}:MODEL/32/float32"
        )
    if arguments:
        raise WorkloadError(f"recipe {target!r} takes no arguments, got {' '.join(arguments)!r}; put them in build()")
    if not is_file:
        from hotloop import registry

        registry.load("workloads", target)
    return Recipe(target=target, folder=folder)


def _file_of(module: str, folder: Path) -> Path:
    """The file that `python -m module` runs in `folder`, found without importing anything."""
    places: Sequence[str] | None = [str(folder), *sys.path]
    parts = module.split(".")
    for part in (*parts, "__main__"):
        found = PathFinder.find_spec(part, places)
        if found is None:
            break
        places = found.submodule_search_locations
        if places is None:
            is_last = part in (parts[-1], "__main__") and found.origin
            if is_last and str(found.origin).endswith(".py"):
                path = Path(str(found.origin))
                return path.relative_to(folder) if path.is_relative_to(folder) else path
            break
    raise WorkloadError(
        f"no module {module!r} that can be run (looked in {folder} and in sys.path); give its name as for python -m"
    )
