import io

import pytest
import torch
from torch import nn

from hotloop.errors import PhaseError
from hotloop.train import PhaseConfig, PhaseTrainer, TrainingPhase

SHORT = PhaseConfig(full_steps=2, predict_steps=4, correct_every=2, adaptive_phases=False)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(32, 4, generator=generator)
    return inputs, inputs.sum(1, keepdim=True).tanh()


def trainer_of(model, config=SHORT, lr=0.05, **options):
    return PhaseTrainer(torch.optim.SGD(model.named_parameters(), lr=lr, momentum=0.5), config, **options)


def closure_of(model, seen=None):
    inputs, targets = batch()

    def closure():
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        if seen is not None:
            seen.append(loss.item())
        return loss

    return closure


def phases(trainer, steps, closure):
    letters = []
    for _ in range(steps):
        with trainer.step() as step:
            letters.append(str(step.phase)[0])
            if step.needs_backward:
                step.loss = closure()
    return "".join(letters)


def weights(model):
    return torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])


def test_predict_makes_no_backward_pass() -> None:
    model, calls = network(), []
    model[0].weight.register_post_accumulate_grad_hook(lambda parameter: calls.append(1))
    trainer = trainer_of(model, guard=False)
    per_step = []
    for _ in range(14):
        before = len(calls)
        trainer.step(closure_of(model))
        per_step.append(len(calls) - before)
    assert "".join(map(str, per_step)) == "1100101" * 2


def test_defect_2_predict_needs_no_forward_either() -> None:
    model, seen = network(), []
    trainer = trainer_of(model, guard=False)
    losses = [trainer.step(closure_of(model, seen)) for _ in range(14)]
    assert len(seen) == 8
    assert [loss is None for loss in losses] == [letter == "P" for letter in "FFPPCPC" * 2]


@pytest.mark.parametrize("predictor", ["hold", "momentum", "least_squares"])
def test_a_full_batch_is_learned(predictor: str) -> None:
    model, seen = network(), []
    trainer = trainer_of(model, predictor=predictor)
    for _ in range(200):
        trainer.step(closure_of(model, seen))
    assert seen[-1] < seen[0] / 20
    stats = trainer.get_stats()
    assert stats.predict_steps > 40
    assert stats.mean_correlation > 0.9


def test_coasting_moves_by_momentum_alone() -> None:
    model = network()
    trainer = trainer_of(model, predictor="coast", guard=False)
    for _ in range(2):
        trainer.step(closure_of(model))
    before = weights(model)
    buffers = torch.cat([state["momentum_buffer"].reshape(-1) for state in trainer.optimizer.state.values()])
    trainer.step(closure_of(model))
    torch.testing.assert_close(weights(model), before - 0.05 * 0.5 * buffers)
    with pytest.raises(ValueError, match="guard=False"):
        trainer_of(model, predictor="coast")


def test_driving_by_hand_is_the_same_as_the_context() -> None:
    by_context, by_hand = network(), network()
    first, second = trainer_of(by_context, guard=False), trainer_of(by_hand, guard=False)
    assert phases(first, 14, closure_of(by_context)) == "FFPPCPC" * 2
    for _ in range(14):
        info = second.begin_step()
        second.optimizer.zero_grad()
        if second.should_compute_full():
            loss = closure_of(by_hand)()
            second.record_full_gradients()
            if info.phase is TrainingPhase.CORRECT:
                second.apply_correction()
        else:
            loss = None
            for name, gradient in second.get_predicted_gradients().items():
                by_hand.get_parameter(name).grad = gradient
        second.optimizer.step()
        second.end_step(loss)
    assert torch.equal(weights(by_context), weights(by_hand))
    assert first.get_stats() == second.get_stats()


def test_gradients_by_name_are_views_and_not_copies() -> None:
    parameter = torch.zeros(2, requires_grad=True)
    trainer = PhaseTrainer(torch.optim.SGD([("w", parameter)], lr=0.1), SHORT, predictor="hold", guard=False)
    for _ in range(2):
        trainer.begin_step()
        trainer.record_full_gradients({"w": torch.tensor([1.0, 2.0])})
        trainer.end_step(1.0)
    trainer.begin_step()
    predicted = trainer.get_predicted_gradients()
    assert predicted["w"].tolist() == [1.0, 2.0]
    assert predicted["w"].data_ptr() == trainer.get_predicted_gradients()["w"].data_ptr()


def drift(correction_weight):
    """How far the weight is from where true gradients would have brought it, before and after the first CORRECT."""
    parameter = torch.zeros(1, requires_grad=True)
    config = SHORT.replace(correction_weight=correction_weight)
    trainer = PhaseTrainer(torch.optim.SGD([parameter], lr=1.0), config, predictor="hold")
    true, drifts = 0.0, []
    for step in range(5):
        gradient = 1 + 0.1 * step
        trainer.step(lambda gradient=gradient: (parameter * gradient).sum().backward() or parameter.sum())
        true -= gradient
        drifts.append(abs(parameter.item() - true))
    return drifts[3:]


def test_defect_5_corrections_are_applied_and_the_drift_is_smaller_after_them() -> None:
    before, after = drift(0.5)
    assert after < before
    assert after == pytest.approx(0.15, abs=1e-5)
    assert drift(0.0)[1] == pytest.approx(before)


def test_defect_5_a_correction_is_added_once_and_only_in_its_own_step() -> None:
    parameter = torch.zeros(1, requires_grad=True)
    trainer = PhaseTrainer(torch.optim.SGD([("w", parameter)], lr=1.0), SHORT, predictor="momentum", guard=False)
    for gradient in (1.0, 2.0):
        trainer.begin_step()
        trainer.record_full_gradients({"w": torch.tensor([gradient])})
        trainer.end_step()
    for _ in range(2):
        trainer.begin_step()
        assert trainer.get_predicted_gradients()["w"].item() == pytest.approx(2.9)
        trainer.end_step()
    trainer.begin_step()
    trainer.record_full_gradients({"w": torch.tensor([3.5])})
    gradients = {"w": torch.tensor([10.0])}
    trainer.apply_correction(gradients)
    assert gradients["w"].item() == pytest.approx(10.3)
    trainer.apply_correction(gradients)
    assert gradients["w"].item() == pytest.approx(10.3)
    trainer.end_step()
    trainer.begin_step()
    with pytest.raises(PhaseError, match="CORRECT"):
        trainer.apply_correction(gradients)


def test_defect_4_clipping_holds_in_every_phase() -> None:
    model = network()
    config = SHORT.replace(max_grad_norm=1e-3)
    trainer = PhaseTrainer(torch.optim.SGD(model.parameters(), lr=1.0), config, guard=False)
    for _ in range(14):
        before = weights(model)
        trainer.step(closure_of(model))
        assert (weights(model) - before).norm() == pytest.approx(1e-3, rel=1e-3)


def test_defect_4_gradients_are_accumulated() -> None:
    whole, parts = network(), network()
    first = trainer_of(whole, guard=False)
    second = trainer_of(parts, SHORT.replace(gradient_accumulation=2), guard=False)
    inputs, targets = batch()
    halves = [0]

    def half():
        rows = slice(0, 16) if halves[0] % 2 == 0 else slice(16, 32)
        halves[0] += 1
        second.optimizer.zero_grad()
        loss = nn.functional.mse_loss(parts(inputs[rows]), targets[rows])
        loss.backward()
        return loss

    for _ in range(7):
        losses = first.step(closure_of(whole)), second.step(half)
        if losses[0] is not None:
            torch.testing.assert_close(*losses)
    torch.testing.assert_close(weights(whole), weights(parts))
    assert halves[0] == 8
    with pytest.raises(PhaseError, match="closure"):
        second.step()


def test_defect_1_two_ratios_are_shown_and_they_differ() -> None:
    model, now = network(), [0.0]
    trainer = trainer_of(model, guard=False, clock=lambda: now[0])
    for _ in range(14):
        with trainer.step() as step:
            now[0] += 3.0 if step.needs_backward else 2.0
            if step.needs_backward:
                closure_of(model)()
    stats = trainer.get_stats()
    assert stats.backward_ratio == 1.75
    assert stats.time_ratio == pytest.approx(3.0 * 14 / (8 * 3 + 6 * 2))
    text = "Steps: 14 | Cycles: 1 | Backward ratio: 1.750 | Time ratio: 1.167 | Full: 4 | Predict: 6 | Correct: 4"
    assert str(stats) == text


def test_the_guard_goes_back_to_full_under_noise_and_predicts_ever_less() -> None:
    model = network()
    trainer = trainer_of(model, lr=1e-3)
    generator = torch.Generator().manual_seed(0)

    def noise():
        loss = (torch.randn(4, 4, generator=generator) @ model[0].weight.T).sum()
        loss.backward()
        return loss

    for _ in range(500):
        trainer.step(noise)
    stats = trainer.get_stats()
    assert stats.predict_steps <= 10
    assert 3 <= stats.num_suspensions <= 10
    assert stats.backward_ratio < 1.03


def test_gradients_that_would_be_forgotten_are_not_even_copied() -> None:
    model = network()
    trainer = trainer_of(model, predictor="momentum")
    signs = iter([1.0, -1.0] * 200)

    def closure():
        loss = next(signs) * model[0].weight.sum()
        loss.backward()
        return loss

    kept = []
    for _ in range(40):
        trainer.step(closure)
        kept.append(trainer.predictor.store.steps[-1])
    assert trainer.get_stats().predict_steps == 0
    idle = [step for step, last in enumerate(kept) if last != step]
    assert len(idle) > 20


def test_nan_gradients_are_never_predicted_from() -> None:
    model = network()
    trainer = trainer_of(model)

    def bad():
        loss = (model[0].weight * torch.nan).sum()
        loss.backward()
        return loss

    assert phases(trainer, 8, bad) == "F" * 8


@pytest.mark.parametrize("seed", [0, 1])
def test_two_runs_are_equal_to_the_last_bit(seed: int) -> None:
    ends = []
    for _ in range(2):
        model = network(seed)
        trainer = trainer_of(model)
        for _ in range(60):
            trainer.step(closure_of(model))
        ends.append((weights(model), trainer.get_stats()))
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


def test_defect_10_figures_do_not_depend_on_the_order_of_names() -> None:
    stats = []
    for order in (("a", "b"), ("b", "a")):
        parameters = {name: torch.zeros(3, requires_grad=True) for name in ("a", "b")}
        trainer = PhaseTrainer(torch.optim.SGD(parameters.items(), lr=0.1), SHORT, guard=False)
        generator = torch.Generator().manual_seed(0)
        for _ in range(14):
            info = trainer.begin_step()
            gradients = {name: torch.rand(3, generator=generator) for name in ("a", "b")}
            if info.needs_backward:
                trainer.record_full_gradients({name: gradients[name] for name in order})
            trainer.end_step(1.0)
        stats.append(trainer.get_stats())
    assert stats[0] == stats[1]


@pytest.mark.parametrize("taken_at", [1, 3, 4, 5, 9])
def test_a_run_goes_on_from_the_middle_of_a_phase(taken_at: int) -> None:
    model = network()
    trainer = trainer_of(model)
    for _ in range(taken_at):
        trainer.step(closure_of(model))
    file = io.BytesIO()
    torch.save((model.state_dict(), trainer.optimizer.state_dict(), trainer.state_dict()), file)
    other = network(9)
    resumed = trainer_of(other)
    file.seek(0)
    states = torch.load(file, weights_only=True)
    for part, state in zip((other, resumed.optimizer, resumed), states, strict=True):
        part.load_state_dict(state)
    for _ in range(20):
        trainer.step(closure_of(model))
        resumed.step(closure_of(other))
    assert torch.equal(weights(model), weights(other))
    counted = [(s.predict_steps, s.mean_correlation, s.cycles) for s in (trainer.get_stats(), resumed.get_stats())]
    assert counted[0] == counted[1]


def test_states_of_other_runs_are_refused() -> None:
    state = trainer_of(network()).state_dict()
    with pytest.raises(ValueError, match="guard"):
        trainer_of(network(), guard=False).load_state_dict(state)
    with pytest.raises(ValueError, match="same model"):
        trainer_of(nn.Linear(2, 1)).load_state_dict(state)
    with pytest.raises(ValueError, match="from_dict"):
        trainer_of(network(), PhaseConfig()).load_state_dict(state)


def test_a_trainer_that_was_reset_is_like_a_new_one() -> None:
    model = network()
    trainer = trainer_of(model, PhaseConfig(full_steps=2, predict_steps=4, correct_every=2))
    for _ in range(60):
        trainer.step(closure_of(model))
    trainer.reset()
    fresh = trainer_of(network(), trainer.config)
    assert trainer.get_stats() == fresh.get_stats()
    assert str(trainer.get_stats()) == str(fresh.get_stats())
    mine, new = trainer.state_dict(), fresh.state_dict()
    assert torch.equal(mine["predictor"]["store"].pop("rows"), new["predictor"]["store"].pop("rows"))
    assert mine["predictor"]["store"] == new["predictor"]["store"]
    assert all(mine[part] == new[part] for part in ("scheduler", "gradients", "quality", "guard"))


def test_defect_8_a_frozen_parameter_stops_nothing() -> None:
    model = network()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    config = PhaseConfig.deterministic(warmup_steps=2, adaptive_phases=False, residual_threshold=None)
    trainer = trainer_of(model, config, guard=False)
    assert phases(trainer, 20, closure_of(model)) == "WWFFFFFPPPPPCPPPPCPP"
    assert torch.equal(model[0].weight, before)


def test_defect_9_the_residual_brings_a_correction_for_parameters_of_any_rank() -> None:
    for shape in ((8,), (4, 2), (2, 2, 2)):
        parameter = torch.zeros(shape, requires_grad=True)
        config = PhaseConfig.deterministic(warmup_steps=2, full_steps=2, adaptive_phases=False, residual_threshold=0.05)
        trainer = PhaseTrainer(torch.optim.SGD([parameter], lr=0.1), config, predictor="hold", guard=False)
        steps = iter(range(100))

        def closure(parameter=parameter, steps=steps, trainer=trainer):
            loss = (parameter * trainer.scheduler.total_step**2).sum()
            loss.backward()
            return loss

        assert phases(trainer, 14, closure) == "WWFFPPPPPCPCPC"


def test_defect_9_the_threshold_is_relative() -> None:
    seen = []
    for scale in (1e-6, 1e6):
        model = nn.Linear(1, 1)
        config = PhaseConfig.deterministic(warmup_steps=2, full_steps=2, residual_threshold=0.05)
        trainer = trainer_of(model, config, predictor="hold", guard=False)

        def closure(model=model, scale=scale, trainer=trainer):
            loss = (model.weight * scale * trainer.scheduler.total_step**2).sum()
            loss.backward()
            return loss

        seen.append(phases(trainer, 30, closure))
    assert seen[0] == seen[1]


def test_a_step_that_raised_begins_again_and_moved_nothing() -> None:
    model = network()
    trainer = trainer_of(model, guard=False)
    for _ in range(4):
        trainer.step(closure_of(model))
    before = weights(model)

    def broken():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        trainer.step(broken)
    assert torch.equal(weights(model), before)
    assert phases(trainer, 3, closure_of(model)) == "CPC"


def test_calls_out_of_order_say_what_to_do() -> None:
    model = network()
    trainer = trainer_of(model, guard=False)
    for call in (trainer.should_compute_full, trainer.end_step, trainer.record_full_gradients):
        with pytest.raises(PhaseError, match="begin_step"):
            call()
    trainer.begin_step()
    with pytest.raises(PhaseError, match="call backward"):
        trainer.get_predicted_gradients()
    with pytest.raises(PhaseError, match="no parameter has a gradient"):
        trainer.record_full_gradients()
    with pytest.raises(ValueError, match="unknown"):
        trainer.record_full_gradients({"other": torch.zeros(1)})
    with pytest.raises(PhaseError, match="end_step"):
        trainer.begin_step()


def test_a_step_with_nothing_to_check_predicts_nothing_yet() -> None:
    model = network()
    trainer = trainer_of(model, PhaseConfig(full_steps=1, predict_steps=3, correct_every=None))
    assert phases(trainer, 9, closure_of(model)) == "FFPPPFPPP"


def test_the_scale_of_a_scaler_is_not_in_what_is_kept() -> None:
    model, plain = network(), network()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaled, other = trainer_of(model, guard=False, scaler=scaler), trainer_of(plain, guard=False)
    inputs, targets = batch()

    def closure():
        loss = nn.functional.mse_loss(model(inputs), targets)
        scaler.scale(loss).backward()
        return loss

    for _ in range(14):
        scaled.step(closure)
        other.step(closure_of(plain))
    torch.testing.assert_close(weights(model), weights(plain))


def test_an_overflow_is_skipped_and_not_kept() -> None:
    model = network()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    trainer = trainer_of(model, guard=False, scaler=scaler)
    inputs, targets = batch()
    factors = iter([1.0, float("inf"), 1.0, 1.0, 1.0])

    def closure():
        loss = nn.functional.mse_loss(model(inputs), targets)
        scaler.scale(loss * next(factors)).backward()
        return loss

    before = [weights(model)]
    for _ in range(5):
        trainer.step(closure)
        before.append(weights(model))
    assert torch.equal(before[1], before[2])
    assert scaler.get_scale() == 512.0
    stats = trainer.get_stats()
    assert (stats.num_skipped, stats.full_steps, stats.predict_steps) == (1, 3, 2)
    assert weights(model).isfinite().all()


def test_bf16_autocast_and_bf16_parameters_take_predictions() -> None:
    model = network().to(torch.bfloat16)
    trainer = trainer_of(model, guard=False)
    inputs, targets = (part.bfloat16() for part in batch())
    before = weights(model)
    for _ in range(7):
        with trainer.step() as step:
            if step.needs_backward:
                nn.functional.mse_loss(model(inputs), targets).backward()
    assert not torch.equal(weights(model), before)
    assert weights(model).isfinite().all()


def test_parameters_that_were_added_are_noticed() -> None:
    model = network()
    trainer = trainer_of(model)
    trainer.optimizer.add_param_group({"params": [("late", nn.Parameter(torch.zeros(1)))]})
    with pytest.raises(PhaseError, match="new PhaseTrainer"):
        trainer.step(closure_of(model))


def test_sparse_gradients_are_refused() -> None:
    model = nn.Embedding(3, 2, sparse=True)
    trainer = PhaseTrainer(torch.optim.SGD(model.parameters(), lr=0.1), SHORT)

    def closure():
        loss = model(torch.tensor([1])).sum()
        loss.backward()
        return loss

    with pytest.raises(ValueError, match="sparse=False"):
        trainer.step(closure)


def test_defect_16_a_prediction_moves_with_the_step_it_is_for() -> None:
    parameter = torch.zeros(1, requires_grad=True)
    trainer = PhaseTrainer(torch.optim.SGD([("w", parameter)], lr=1.0), SHORT)
    predictions = []
    for step in range(4):
        info = trainer.begin_step()
        if info.needs_backward:
            trainer.record_full_gradients({"w": torch.tensor([1 + 0.1 * step])})
        else:
            predictions.append(trainer.get_predicted_gradients()["w"].item())
        trainer.end_step()
    assert predictions == pytest.approx([1.2, 1.3])


def test_losses_of_each_phase_are_in_the_stats() -> None:
    model = network()
    trainer = trainer_of(model, guard=False)
    phases(trainer, 7, closure_of(model))
    assert set(trainer.get_stats().phase_mean_losses) == {"FULL", "CORRECT"}
    assert len(trainer.loss_history) == 4
