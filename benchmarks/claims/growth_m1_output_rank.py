"""Growth M1: a branch on the number of dimensions of the output inside a compiled step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import Evidence, digits
from benchmarks.claims.growth_l1_swallowed_failure import raised
from benchmarks.claims.spies import CountingBackend, graph_breaks
from benchmarks.claims.trial import Claim, Judgement, Ruling

CLASSES, VOCABULARY = 4, 11


def branching_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The reviewed step: what the output's rank is decides which task this is."""
    outputs = model(inputs)
    if outputs.dim() == 3:
        return nn.functional.cross_entropy(outputs.view(-1, outputs.shape[-1]), targets.view(-1))
    return nn.functional.cross_entropy(outputs, targets)


def classification_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(inputs), targets)


def language_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def tasks() -> tuple[tuple[nn.Module, Tensor, Tensor], tuple[nn.Module, Tensor, Tensor]]:
    """A classifier and a language model, each with inputs and targets."""
    torch.manual_seed(0)
    classifier = nn.Linear(8, CLASSES), torch.randn(16, 8), torch.randint(CLASSES, (16,))
    language = (
        nn.Embedding(VOCABULARY, VOCABULARY),
        torch.randint(VOCABULARY, (3, 7)),
        torch.randint(VOCABULARY, (3, 7)),
    )
    return classifier, language


def counts() -> Mapping[str, float]:
    classifier, language = tasks()
    breaks = sum(graph_breaks(branching_loss, *task)["breaks"] for task in (classifier, language))
    backend = CountingBackend()
    step = torch.compile(branching_loss, backend=backend, fullgraph=True)
    errors = sum(raised(lambda task=task: step(*task)) is not None for task in (classifier, language))
    first = backend.graphs
    for _ in range(10):
        step(*classifier)
        step(*language)
    later = backend.graphs - first
    torch._dynamo.reset()
    apart = classification_loss(*classifier), language_loss(*language)
    same = sum(
        torch.equal(branching_loss(*task), loss) for task, loss in zip((classifier, language), apart, strict=True)
    )
    return {
        "errors under fullgraph=True": errors,
        "graph breaks": breaks,
        "graphs for the two ranks": first,
        "recompiles in 20 more calls that alternate": later,
        "losses equal to those of separate functions, of 2": same,
    }


def judge(seen: Evidence) -> Judgement:
    errors, breaks = seen.count("errors under fullgraph=True"), seen.count("graph breaks")
    first, later = seen.count("graphs for the two ranks"), seen.count("recompiles in 20 more calls that alternate")
    is_costly = [errors > 0, breaks > 0, later > 0]
    ruling = Ruling.HOLDS if all(is_costly) else Ruling.HALF if any(is_costly) else Ruling.FAILS
    return Judgement(
        ruling=ruling,
        measured=f"{digits(errors)} errors under fullgraph=True, {digits(breaks)} graph breaks, {digits(first)} graphs "
        f"for two ranks, {digits(later)} recompiles in 20 more calls that alternate",
        why="The rank of a tensor is known while tracing, so the branch is decided there: one graph a rank, no break, "
        "no need for torch.cond.",
    )


CLAIM = Claim(
    item="M1",
    title="branch on outputs.dim()",
    text="The branch on the output's rank is data-dependent: it breaks the graph, recompiles when tasks alternate, and "
    "is an error under fullgraph=True.",
    figure="graph breaks, recompiles, errors",
    judge=judge,
    counts=counts,
)
