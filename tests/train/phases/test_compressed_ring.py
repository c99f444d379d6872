import pytest
import torch
from torch import nn

from hotloop.distributed import TernaryAccumulator, VSAConfig
from hotloop.train import PhaseConfig, PhaseTrainer
from hotloop.train.phases.compressed_ring import CompressedRing
from hotloop.train.phases.gradient_ring import GradientRing


def normal(size, seed):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_defect_3_the_history_is_really_compressed_in_measured_bytes_at_a_known_cosine() -> None:
    size, capacity = 50_000, 4
    ring, plain = CompressedRing(size, capacity=capacity), GradientRing(size, capacity=capacity)
    for step in range(6):
        for store in (ring, plain):
            store.record(normal(size, step), step)
    assert ring.steps == plain.steps == (2, 3, 4, 5)
    assert plain.nbytes / ring.nbytes > 190
    both = [store.combine([0.0, 0.0, 0.0, 1.0], torch.empty(size)) for store in (ring, plain)]
    assert torch.cosine_similarity(*both, dim=0).item() == pytest.approx(0.26, abs=0.03)
    torch.testing.assert_close(ring.rows()[-1], both[0])


def test_a_state_goes_on() -> None:
    first, second = CompressedRing(500, capacity=2), CompressedRing(500, capacity=2)
    first.record(normal(500, 0), 0)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.rows(), second.rows())
    with pytest.raises(ValueError, match="another length"):
        CompressedRing(900, capacity=2).load_state_dict(first.state_dict())
    first.clear()
    assert first.steps == ()


def test_defect_3_a_trainer_keeps_and_sums_its_gradients_in_trits() -> None:
    torch.manual_seed(0)
    model = nn.Linear(200, 1)
    size = sum(parameter.numel() for parameter in model.parameters())
    ring = CompressedRing(size, capacity=1, config=VSAConfig(compression_ratio=1.0))
    accumulator = TernaryAccumulator(size)
    config = PhaseConfig(
        full_steps=2, predict_steps=2, correct_every=None, adaptive_phases=False, gradient_accumulation=3
    )
    trainer = PhaseTrainer(
        torch.optim.SGD(model.parameters(), lr=1e-3),
        config,
        predictor="hold",
        store=ring,
        gradient_sum=accumulator,
        guard=False,
    )
    inputs = normal((64, 200), 1)
    targets, calls, losses = inputs.sum(1, keepdim=True), [], []

    def closure():
        calls.append(1)
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    for _ in range(60):
        loss = trainer.step(closure)
        if loss is not None:
            losses.append(loss.item())
    assert accumulator.count == 3
    assert len(calls) == 3 * 30
    assert losses[-1] < 0.7 * losses[0]
    assert ring.steps == (57,)
    assert accumulator.nbytes < size * 4 / 10
