import pytest
import torch

pytest.importorskip("sklearn")

from hotloop.train.loop import train
from hotloop.workloads.recipes.growth import build

EVERY_FORM = 24  # steps within which each form of the graph has come


def lived(seed, steps):
    """Phase, graph and loss of each step."""
    job, found = build(seed), []
    train(job, steps=steps, on_step=lambda loss: found.append((job.phase(), job.model.graph_key(), loss.clone())))
    return job, found


def test_the_life_is_the_same_for_a_seed_and_goes_through_all_stages():
    found, again = lived(0, EVERY_FORM)[1], lived(0, EVERY_FORM)[1]
    assert all(a[:2] == b[:2] and a[2].equal(b[2]) for a, b in zip(found, again, strict=True))
    assert not found[0][2].equal(lived(1, 1)[1][0][2])
    text = " ".join(phase for phase, *_ in found)
    for stage in ("dormant", "training", "blending", "holding", "fossilized", "pruned"):
        assert f"is {stage}" in text


def test_every_form_of_the_graph_comes_in_the_first_steps_and_none_later():
    job, found = lived(0, 3 * EVERY_FORM)
    forms = [graph for _, graph, _ in found]
    assert set(forms[:EVERY_FORM]) == set(forms)
    assert len(set(forms)) == 10
    assert job.warmup_steps == EVERY_FORM
    assert {group["part"] for group in job.optimizer.param_groups} <= {"host", "b0", "b1"}
    assert all(torch.isfinite(loss) for *_, loss in found)
