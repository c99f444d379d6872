"""Growth conclusion: no critical issue in how the parts fit together."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.growth_l1_swallowed_failure import raised
from benchmarks.claims.spies import CountingBackend
from benchmarks.claims.trial import Claim, Judgement, Ruling

VANISHING, EXPLODING = 1e-7, 100.0
BLUEPRINTS = ("noop", "norm", "attention", "depthwise", "conv_light")  # what the action space knows
ROTATION = ("conv_light", "attention", "norm", "depthwise", "conv_heavy")  # what the heuristic asks for


class Policy(nn.Module):
    """A network whose callers use another method than forward."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 2)

    def forward(self, state: Tensor) -> Tensor:
        return self.body(state)

    def get_action(self, state: Tensor) -> Tensor:
        return self.body(state).argmax(dim=-1)


def compiles(use: Callable[[nn.Module, CountingBackend, Tensor], object]) -> int:
    """Graphs compiled by a way of using a compiled policy."""
    torch._dynamo.reset()
    backend = CountingBackend()
    use(Policy(), backend, torch.randn(3, 4))
    torch._dynamo.reset()
    return backend.graphs


def wrapped(policy: nn.Module, backend: CountingBackend) -> nn.Module:
    return torch.compile(policy, backend=backend)


def health(norms: Sequence[float]) -> float:
    """The reviewed score: shares of vanishing and of exploding gradients, by two comparisons."""
    vanishing = sum(norm < VANISHING for norm in norms) / len(norms)
    exploding = sum(norm > EXPLODING for norm in norms) / len(norms)
    return min(1.0, max(0.0, 1 - 0.5 * vanishing - 0.8 * exploding))


def reported_norm(norms: Sequence[float]) -> float:
    """The reviewed norm: the root of the sum of squares over the number of parameters."""
    return math.sqrt(sum(norm**2 for norm in norms)) / len(norms)


def optimizer_for(blueprint: str) -> torch.optim.Optimizer:
    """A seed's optimizer; a blueprint that the action space does not know becomes a seed without parameters."""
    known = blueprint if blueprint in BLUEPRINTS else "noop"
    seed = nn.Identity() if known == "noop" else nn.Linear(2, 2)
    return torch.optim.SGD(seed.parameters(), lr=0.01)


def counts() -> Mapping[str, float]:
    norms = (2.0, 4.0)
    return {
        "compiles, compiled policy used by get_action": compiles(lambda p, b, x: wrapped(p, b).get_action(x)),
        "compiles, compiled policy called": compiles(lambda p, b, x: wrapped(p, b)(x)),
        "compiles, the bound method compiled": compiles(lambda p, b, x: torch.compile(p.get_action, backend=b)(x)),
        "health score of gradients that are all NaN": health([math.nan, math.nan]),
        "reported norm of gradients with norms 2 and 4": round(reported_norm(norms), 3),
        "their global norm": round(math.hypot(*norms), 3),
        "their mean norm": sum(norms) / len(norms),
        "blueprints of the heuristic that crash the optimizer": sum(
            raised(lambda name=name: optimizer_for(name)) is ValueError for name in ROTATION
        ),
    }


def judge(seen: Evidence) -> Judgement:
    called = seen.count("compiles, compiled policy used by get_action")
    score = seen.count("health score of gradients that are all NaN")
    crashes = seen.count("blueprints of the heuristic that crash the optimizer")
    norm, whole, mean = (
        seen.count(name)
        for name in ("reported norm of gradients with norms 2 and 4", "their global norm", "their mean norm")
    )
    faults = [called == 0, score == 1, crashes > 0, norm not in (whole, mean)]
    return Judgement(
        ruling=Ruling.FAILS if any(faults) else Ruling.HOLDS,
        measured=f"{digits(called)} graphs compiled when the policy is used by its own method; NaN gradients score "
        f"{digits(score)} for health; norm {digits(norm)} where the global one is {digits(whole)} and the mean "
        f"{digits(mean)}; {digits(crashes)} of {len(ROTATION)} blueprints crashes the optimizer",
        why="Each part was rebuilt here from its description and shows the fault by itself. Two more, gates that no "
        "episode can pass, need the whole growth system and are not tried here.",
    )


CLAIM = Claim(
    item="conclusion",
    title="integration",
    text="No critical issues were found in the integration of gradient collector, rewards, losses and actions.",
    figure="no critical issues",
    judge=judge,
    counts=counts,
)
