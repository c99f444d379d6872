"""One training step of a recipe, seen whole: loss, gradients, weights, buffers and optimizer state in float64."""

import dataclasses
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from hotloop.train.loop import train
from hotloop.workload import Job

Build = Callable[[], Job]  # a fresh job, equal at each call
Prepare = Callable[[Job], None]  # changes a live job in place, as a plan does
Named = Mapping[str, Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What one step left behind, by parameter name, on the CPU in float64.

    `updates`, `buffers` and `state` (the optimizer's, named "parameter.key") are changes: after less before.
    `gradients` are those that the optimizer met; empty where the job's own step function keeps them to itself.
    `epsilon` is that of the coarsest dtype among the weights.
    """

    loss: float
    gradients: Named
    weights: Named
    updates: Named
    buffers: Named
    state: Named
    modes: Mapping[str, "Mode"]
    epsilon: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """Where every observed step starts: weights, buffers and optimizer state after one silent eager step."""

    weights: Named
    buffers: Named
    state: Named

    @staticmethod
    def of(job: Job) -> "Origin":
        """Copies of what `job` holds now."""
        return Origin(weights=parameters(job.model), buffers=_buffers(job.model), state=_state(job))

    def restore(self, job: Job) -> None:
        """Write everything back in place, in whatever dtype and layout the job keeps it."""
        with torch.no_grad():
            for name, tensor in _live(job):
                kept = self.weights.get(name, self.buffers.get(name, self.state.get(name)))
                if kept is not None:
                    tensor.copy_(kept)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mode:
    """How one module trains: its train flag, and its dropout rates by attribute."""

    training: bool
    rates: Mapping[str, float]


def origin_of(build: Build) -> Origin:
    """The state of an eager job after its first step, dropout silent."""
    with preserved_settings():
        return _warmed(start(build))


def take_step(
    build: Build,
    *,
    prepare: Prepare | None = None,
    dtype: torch.dtype | None = None,
    perturb: float = 0.0,
    perturb_seed: int = 0,
    rng_seed: int = 0,
    origin: Origin | None = None,
) -> Snapshot:
    """The second step of a fresh job on its first batch, taken from `origin`, under the changes that `prepare` makes.

    The second, because the first step of a captured job may be eager: optimizer state has to exist. `dtype` recasts
    model and batches (float64 gives the reference); `perturb` multiplies each weight by 1 + perturb times a standard
    normal. Dropout is silent, batch-norm stays in train mode. Whatever the step raises is raised.
    """
    origin = origin or origin_of(build)
    losses: list[Tensor] = []
    gradients: dict[str, Tensor] = {}
    with preserved_settings():
        job = start(build, prepare=prepare, dtype=dtype)
        _warmed(job)
        origin.restore(job)
        perturb_weights(job.model, perturb, perturb_seed)
        before = Origin.of(job)

        def see_gradients(*_: object) -> None:
            gradients.update(_gradients(job.model))

        if job.step is None:  # a captured step would not call the hook, or refuse to run with one
            job.optimizer.register_step_pre_hook(see_gradients)
        torch.manual_seed(rng_seed)
        train(job, steps=1, on_step=losses.append)
        after = Origin.of(job)
        return Snapshot(
            loss=float(losses[0]),
            gradients=gradients,
            weights=after.weights,
            updates=_changes(before.weights, after.weights),
            buffers=_changes(before.buffers, after.buffers),
            state=_changes(before.state, after.state),
            modes=modes(job.model),
            epsilon=_epsilon(job.model),
        )


def losses_of_seeds(build: Build, *, prepare: Prepare | None, origin: Origin) -> tuple[float, float]:
    """The loss of the same step with dropout active under two random seeds."""
    losses: list[Tensor] = []
    with preserved_settings():
        job = start(build, prepare=prepare, silent=False)
        _warmed(job)
        for seed in (1, 2):
            origin.restore(job)
            torch.manual_seed(seed)
            train(job, steps=1, on_step=losses.append)
    return float(losses[0]), float(losses[1])


def _warmed(job: Job) -> Origin:
    torch.manual_seed(0)
    train(job, steps=1)
    return Origin.of(job)


def start(
    build: Build, *, prepare: Prepare | None = None, dtype: torch.dtype | None = None, silent: bool = True
) -> Job:
    """A fresh job, recast, its dropout off where `silent`, and then prepared."""
    job = build()
    if dtype is not None:
        job.model.to(dtype)
        job.batches = _Recast(job.batches, dtype)
    if silent:
        silence(job.model)
    if prepare is not None:
        # Code compiled for an earlier job would be found again, or counted against Dynamo's limit on recompiles.
        torch.compiler.reset()
        prepare(job)
    return job


def parameters(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the weights by name, float64 on the CPU."""
    return {_plain(name): _copy(weight) for name, weight in model.named_parameters()}


def modes(model: nn.Module) -> dict[str, Mode]:
    """How each module trains, by name."""
    return {_plain(name): Mode(training=m.training, rates=_rates(m)) for name, m in model.named_modules()}


def silence(model: nn.Module) -> None:
    """Set every dropout rate that a module keeps as an attribute to 0.

    Compiled code draws another random stream than eager, so that no two runs could be compared with dropout active.
    """
    for module in model.modules():
        for name in _rates(module):
            setattr(module, name, 0.0)


@contextmanager
def preserved_settings() -> Generator[None]:
    """Puts torch's process-wide settings back that a plan may change, and the random state."""
    kept = [(write, read()) for read, write in _settings()]
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        for write, value in kept:
            write(value)


def _settings() -> Iterator[tuple[Callable[[], Any], Callable[[Any], object]]]:
    """How each setting is read and written."""
    cpu, cuda, cudnn = (cast(Any, part) for part in (torch.backends.mkldnn, torch.backends.cuda, torch.backends.cudnn))
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    for backend in (cpu.matmul, cpu.conv, cpu.rnn, cuda.matmul, cudnn.conv, cudnn.rnn):
        yield partial(getattr, backend, "fp32_precision"), partial(setattr, backend, "fp32_precision")
    yield partial(getattr, cudnn, "benchmark"), partial(setattr, cudnn, "benchmark")
    for kernel in ("flash", "mem_efficient", "cudnn", "math"):
        yield getattr(cuda, f"{kernel}_sdp_enabled"), getattr(cuda, f"enable_{kernel}_sdp")
    yield cuda.fp16_bf16_reduction_math_sdp_allowed, cuda.allow_fp16_bf16_reduction_math_sdp
    attention = "scaled_dot_product_attention"
    yield partial(getattr, nn.functional, attention), partial(setattr, nn.functional, attention)
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.get_default_dtype, torch.set_default_dtype


class _Recast:
    """Batches with every floating tensor in another dtype; iterates as often as the original."""

    def __init__(self, batches: Iterable[Any], dtype: torch.dtype) -> None:
        self._batches = batches
        self._dtype = dtype

    def __iter__(self) -> Iterator[Any]:
        for batch in self._batches:
            yield _recast(batch, self._dtype)


def _recast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, Mapping):
        items = {key: _recast(item, dtype) for key, item in cast(Mapping[Any, Any], value).items()}
        return items if type(cast(Any, value)) is dict else cast(Any, type(value))(items)
    if isinstance(value, (tuple, list)):
        parts = [_recast(item, dtype) for item in cast(list[Any], value)]
        return cast(Any, type(value))(*parts) if hasattr(value, "_fields") else cast(Any, type(value))(parts)
    return _recast_object(value, dtype)


def _recast_object(value: Any, dtype: torch.dtype) -> Any:
    if callable(getattr(value, "apply", None)) and callable(getattr(value, "clone", None)):
        return value.clone().apply(lambda part: _recast(part, dtype))  # pyright: ignore[reportUnknownLambdaType]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _recast(getattr(value, f.name), dtype) for f in dataclasses.fields(value) if f.init}
        return dataclasses.replace(value, **changed)
    return value


def perturb_weights(model: nn.Module, scale: float, seed: int) -> None:
    """Multiply each weight by 1 + scale times a standard normal, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters() if scale else ():
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            weight.mul_((1 + scale * noise).to(device=weight.device, dtype=weight.dtype))


def _rates(module: nn.Module) -> dict[str, float]:
    names = [name for name in vars(module) if "dropout" in name or "drop_prob" in name]
    if isinstance(module, nn.modules.dropout._DropoutNd):  # pyright: ignore[reportPrivateUsage]
        names.append("p")
    values = {name: getattr(module, name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, float)}


def _epsilon(model: nn.Module) -> float:
    kinds = {weight.dtype for weight in model.parameters() if weight.is_floating_point()}
    return max((torch.finfo(kind).eps for kind in kinds), default=torch.finfo(torch.float32).eps)


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {_plain(name): _copy(w.grad) for name, w in model.named_parameters() if w.grad is not None}


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    return {_plain(name): _copy(buffer) for name, buffer in model.named_buffers()}


def _state(job: Job) -> dict[str, Tensor]:
    return {name: _copy(tensor) for name, tensor in _live_state(job)}


def _live(job: Job) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in (*job.model.named_parameters(), *job.model.named_buffers()):
        yield _plain(name), tensor
    yield from _live_state(job)


def _live_state(job: Job) -> Iterator[tuple[str, Tensor]]:
    for name, weight in job.model.named_parameters():
        kept: Mapping[str, Any] = job.optimizer.state.get(weight, {})
        yield from ((f"{_plain(name)}.{key}", value) for key, value in kept.items() if isinstance(value, Tensor))


def _changes(before: Named, after: Named) -> dict[str, Tensor]:
    return {name: value - before[name] for name, value in after.items() if name in before}


def _copy(tensor: Tensor) -> Tensor:
    dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
    return dense.to(device="cpu", dtype=torch.float64, copy=True)


def _plain(name: str) -> str:
    # torch.compile(model) wraps the module and puts this in front of every name.
    return name.replace("_orig_mod.", "").removesuffix("_orig_mod")
