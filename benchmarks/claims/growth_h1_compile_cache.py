"""Growth H1: one compiled training step for all models, and what its cache should be keyed by."""

import types
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.spies import CountingBackend
from benchmarks.claims.trial import Claim, Judgement, Ruling

ARCHITECTURES = 12
Step = Callable[[nn.Module, Tensor, Tensor, nn.Module], Tensor]


def train_step(model: nn.Module, inputs: Tensor, targets: Tensor, criterion: nn.Module) -> Tensor:
    return criterion(model(inputs), targets)


def architecture(model: nn.Module) -> Hashable:
    """Class, names, shapes and dtypes of everything the model holds, its device type, and the gradient mode."""
    state = (*model.named_parameters(), *model.named_buffers())
    kinds = tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in state)
    device = state[0][1].device.type if state else "cpu"
    return type(model).__qualname__, kinds, device, torch.is_grad_enabled()


class CompiledSteps:
    """One compiled step for each architecture, each with a code object of its own.

    Dynamo counts its limit of recompiles for each code object, so that a key alone would share the limit. Where even
    one architecture reaches it, a warning says so and that architecture runs eagerly from then on.
    """

    def __init__(self, backend: Callable[..., Callable[..., object]], *, own_code: bool = True) -> None:
        self._backend, self._own_code = backend, own_code
        self._steps: dict[Hashable, Step] = {}

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, criterion: nn.Module) -> Tensor:
        key = architecture(model)
        if key not in self._steps:
            code = train_step.__code__.replace() if self._own_code else train_step.__code__
            self._steps[key] = torch.compile(types.FunctionType(code, globals()), backend=self._backend)
        try:
            with torch._dynamo.config.patch(fail_on_recompile_limit_hit=self._own_code):
                return self._steps[key](model, inputs, targets, criterion)
        except torch._dynamo.exc.FailOnRecompileLimitHit:
            warnings.warn(f"{key[0]} was recompiled too often and runs eagerly from now on", stacklevel=2)
            self._steps[key] = train_step
            return train_step(model, inputs, targets, criterion)


def network(width: int = 8, depth: int = 1, dropout: float | None = None) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(8, width)]
    for _ in range(depth):
        layers += [nn.ReLU(), nn.Linear(width, width)]
    if dropout is not None:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(width, 4))


def compiles(models: Sequence[nn.Module], make: Callable[[CountingBackend], Step], *, rounds: int = 1) -> list[int]:
    """How many graphs were compiled by the end of each round over the models."""
    torch._dynamo.reset()
    backend = CountingBackend()
    step, criterion = make(backend), nn.MSELoss()
    found = []
    for _ in range(rounds):
        for model in models:
            step(model, torch.randn(16, 8), torch.randn(16, 4), criterion)
        found.append(backend.graphs)
    torch._dynamo.reset()
    return found


def one_step(backend: CountingBackend) -> Step:
    return torch.compile(train_step, backend=backend)


def keyed(backend: CountingBackend) -> Step:
    return CompiledSteps(backend, own_code=False)


def changes() -> Mapping[str, float]:
    """Further compiles of one step when something else changes."""
    torch._dynamo.reset()
    backend = CountingBackend()
    step = one_step(backend)
    plain, dropping, criterion = network(), network(dropout=0.1), nn.MSELoss()

    def new(run: Callable[[], object]) -> int:
        before = backend.graphs
        run()
        return backend.graphs - before

    def call(model: nn.Module, size: int = 16, loss: nn.Module = criterion) -> Tensor:
        return step(model, torch.randn(size, 8), torch.randn(size, 4), loss)

    call(plain)
    found = {"new compiles, evaluation mode": new(lambda: call(plain.eval()))}
    plain.train()
    found["new compiles, other criterion of the same kind"] = new(lambda: call(plain, loss=nn.MSELoss()))
    with torch.no_grad():
        found["new compiles, without gradients"] = new(lambda: call(plain))
    found["new compiles, second batch size"] = new(lambda: call(plain, 24))
    found["new compiles, third batch size"] = new(lambda: call(plain, 40))
    call(dropping)
    found["new compiles, evaluation mode with dropout"] = new(lambda: call(dropping.eval()))
    torch._dynamo.reset()
    return found


def counts() -> Mapping[str, float]:
    same = [network() for _ in range(ARCHITECTURES)]
    widths = [network(width=8 + number) for number in range(ARCHITECTURES)]
    depths = [network(depth=1 + number) for number in range(ARCHITECTURES)]
    own = compiles(widths, CompiledSteps, rounds=2)
    return {
        "compiles, 12 models of one architecture": compiles(same, one_step)[-1],
        "compiles, 12 widths": compiles(widths, one_step)[-1],
        "compiles, 12 depths": compiles(depths, one_step)[-1],
        "compiles, 12 widths, cache keyed by architecture": compiles(widths, keyed)[-1],
        "compiles, 12 widths, key and own code object": own[0],
        "compiles of a second round over them": own[1] - own[0],
        **changes(),
    }


def judge(seen: Evidence) -> Judgement:
    one = seen.count("compiles, 12 models of one architecture")
    widths, key = seen.count("compiles, 12 widths"), seen.count("compiles, 12 widths, cache keyed by architecture")
    own = seen.count("compiles, 12 widths, key and own code object")
    is_problem, is_cure = widths < ARCHITECTURES, key == ARCHITECTURES
    ruling = Ruling.HOLDS if is_problem and is_cure else Ruling.HALF if is_problem else Ruling.FAILS
    return Judgement(
        ruling=ruling,
        measured=f"{ARCHITECTURES} models of one architecture: {digits(one)} compile; {ARCHITECTURES} widths: "
        f"{digits(widths)} compiles, then eager without a word; with the proposed key still {digits(key)}; with a code "
        f"object for each key {digits(own)}",
        why="Other instances cost nothing, other architectures do. The key alone changes nothing, as Dynamo counts its "
        "limit for each code object.",
    )


CLAIM = Claim(
    item="H1",
    title="key of the compile cache",
    text="The cache of the compiled step ignores the model, so other architectures recompile or break the graph; put "
    "an architecture signature into the key.",
    figure="silent slow-down or recompiles",
    judge=judge,
    counts=counts,
)
