"""Training on targets: what each parameter does."""

import numpy as np
import pytest
import torch

from hotloop.estimators import PSANNRegressor, ResConvPSANNRegressor, ResPSANNRegressor, WaveResNetRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = np.stack([np.sin(X[:, 0]), X[:, 1]], axis=1)
IMAGES = RNG.normal(size=(40, 2, 3, 4))


def learned(**changed) -> PSANNRegressor:
    settings = {"hidden_layers": 1, "hidden_units": 16, "epochs": 15, "batch_size": 32, "lr": 1e-2, "random_state": 0}
    return PSANNRegressor(**{**settings, **changed})


@pytest.mark.parametrize("loss", ["mse", "l1", "mae", "smooth_l1", "huber", torch.nn.functional.mse_loss])
def test_every_loss_lets_the_estimator_learn(loss) -> None:
    assert learned(loss=loss).fit(X, Y).score(X, Y) > 0.3


def test_a_loss_without_reduction_is_averaged() -> None:
    def squares(outputs, targets, *, scale):
        return scale * (outputs - targets).square()

    own = learned(loss=squares, loss_params={"scale": 1.0}, loss_reduction="none").fit(X, Y)
    np.testing.assert_allclose(own.predict(X), learned().fit(X, Y).predict(X), atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_lets_the_estimator_learn(optimizer) -> None:
    assert learned(optimizer=optimizer, epochs=40).fit(X, Y).score(X, Y) > 0.2


@pytest.mark.parametrize("scaler", ["standard", "minmax"])
def test_scaled_inputs_and_targets_do_not_depend_on_their_units(scaler) -> None:
    model = learned(scaler=scaler, target_scaler=scaler)
    plain, scaled = model.fit(X, Y).predict(X), model.fit(X * 1e3 + 5e3, Y * 1e2 - 1e3).predict(X * 1e3 + 5e3)
    np.testing.assert_allclose((scaled + 1e3) / 1e2, plain, atol=2e-3)


def test_an_object_with_fit_and_transform_is_a_scaler() -> None:
    from sklearn.preprocessing import StandardScaler

    own, named = learned(scaler=StandardScaler()).fit(X, Y), learned(scaler="standard").fit(X, Y)
    np.testing.assert_allclose(own.predict(X), named.predict(X), atol=1e-4)


def test_early_stopping_keeps_the_best_epoch() -> None:
    held_out = RNG.normal(size=(30, 3))
    noise = RNG.normal(size=(30, 2))
    model = learned(epochs=60, early_stopping=True, patience=3).fit(X, Y, validation_data=(held_out, noise))
    losses = [entry["val_loss"] for entry in model.history_]
    assert model.n_iter_ < 60
    loss = float(np.square(model.predict(held_out) - noise).mean())
    assert loss == pytest.approx(min(losses), rel=1e-3)


def test_a_warm_start_goes_on_and_a_cold_one_begins_again() -> None:
    warm = learned(warm_start=True, epochs=5).fit(X, Y)
    first = warm.history_[0]["train_loss"]
    assert warm.fit(X, Y).history_[0]["train_loss"] < first
    assert learned(epochs=5).fit(X, Y).fit(X, Y).history_[0]["train_loss"] == first


def test_partial_fit_makes_one_pass_and_goes_on() -> None:
    model = learned()
    losses = [model.partial_fit(X, Y).history_[0]["train_loss"] for _ in range(5)]
    assert losses[-1] < losses[0]
    assert model.n_iter_ == 1


def test_positions_are_kept_by_a_prediction_for_each_element() -> None:
    targets = IMAGES[:, :1] * 2
    model = learned(preserve_shape=True, per_element=True, epochs=3).fit(IMAGES, targets)
    assert model.predict(IMAGES).shape == targets.shape


def test_channels_last_is_the_same_network_on_moved_axes() -> None:
    targets = IMAGES[:, 0, 0, 0]
    first = ResConvPSANNRegressor(hidden_units=8, hidden_layers=1, epochs=2, random_state=0).fit(IMAGES, targets)
    last = ResConvPSANNRegressor(
        hidden_units=8, hidden_layers=1, epochs=2, random_state=0, data_format="channels_last"
    ).fit(np.moveaxis(IMAGES, 1, -1), targets)
    np.testing.assert_allclose(first.predict(IMAGES), last.predict(np.moveaxis(IMAGES, 1, -1)), atol=1e-6)


def test_rows_of_any_shape_are_flattened_and_outputs_reshaped() -> None:
    model = learned(epochs=1, output_shape=(2, 3)).fit(IMAGES, IMAGES[:, :, :, 0])
    assert model.predict(IMAGES).shape == (40, 2, 3)
    assert np.isfinite(model.score(IMAGES, IMAGES[:, :, :, 0]))


def test_a_context_changes_what_a_wave_network_predicts() -> None:
    context = np.sign(RNG.normal(size=(120, 1)))
    target = context[:, 0] * np.sin(X[:, 0])
    model = WaveResNetRegressor(hidden_units=32, hidden_layers=2, epochs=60, lr=1e-2, random_state=0)
    model.fit(X, target, context=context)
    assert model.score(X, target, context=context) > 0.5
    assert model.score(X, target, context=-context) < 0.0
    with pytest.raises(ValueError, match="context of 1 columns"):
        model.predict(X)


@pytest.mark.parametrize("builder", ["cosine", np.square])
def test_a_context_can_be_built_from_the_inputs(builder) -> None:
    model = WaveResNetRegressor(hidden_units=8, epochs=1, context_builder=builder).fit(X, Y)
    assert model.predict(X).shape == Y.shape


def test_noise_on_the_inputs_changes_training_and_not_prediction() -> None:
    quiet, noisy = learned().fit(X, Y), learned().fit(X, Y, noisy=[0.0, 0.0, 1.0])
    assert not np.array_equal(quiet.predict(X), noisy.predict(X))
    assert np.array_equal(noisy.predict(X), noisy.predict(X))


def test_learning_from_a_stream_lowers_the_error() -> None:
    model = learned(epochs=1, stream_lr=1e-2).fit(X, Y)
    before = model.score(X, Y)
    for _ in range(3):
        model.predict_sequence_online(X, Y)
    assert model.score(X, Y) > before + 0.1
    assert model.step(X[0], target=Y[0], update_params=True).shape == (2,)


def test_a_network_that_learned_from_a_stream_can_be_saved_and_fitted_on(tmp_path) -> None:
    model = learned(epochs=1, stream_lr=1e-2, warm_start=True).fit(X, Y)
    model.predict_sequence_online(X, Y)
    model.save(tmp_path / "model.zip")
    assert np.array_equal(PSANNRegressor.load(tmp_path / "model.zip").predict(X), model.predict(X))
    assert model.fit(X, Y).score(X, Y) > 0.0


def test_the_last_prediction_or_all_of_a_sequence_come_back() -> None:
    model = learned(epochs=1).fit(X, Y)
    np.testing.assert_allclose(model.predict_sequence(X), model.predict(X)[-1])
    assert model.predict_sequence(X, return_sequence=True).shape == Y.shape


def test_progress_goes_to_stderr_where_it_was_asked_for(capfd) -> None:
    learned(epochs=2).fit(X, Y, verbose=2)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "fit 2/2" in printed.err
    learned(epochs=2).fit(X, Y)
    assert capfd.readouterr().err == ""


def test_a_compiled_network_learns_the_same() -> None:
    plain, other = learned(epochs=2).fit(X, Y), learned(epochs=2, compile=True, compile_backend="eager").fit(X, Y)
    np.testing.assert_allclose(other.predict(X), plain.predict(X), atol=1e-5)


def test_the_old_name_of_the_width_works_and_is_told() -> None:
    with pytest.warns(DeprecationWarning, match="hidden_units"):
        old = PSANNRegressor(hidden_width=7, epochs=1).fit(X, Y)
    assert old.net_.head.in_features == 7
    with pytest.warns(DeprecationWarning, match="hidden_units"), pytest.warns(UserWarning, match="is used"):
        both = PSANNRegressor(hidden_width=7, hidden_units=9, epochs=1).fit(X, Y)
    assert both.net_.head.in_features == 9


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimizer": "lion"},
        {"loss": "mape"},
        {"loss_params": {"beta": 1}},
        {"activation_type": "gelu"},
        {"epochs": 0},
        {"lr": -1.0},
        {"scaler": "robust"},
        {"scaler_params": {"with_mean": False}},
        {"state_reset": "week"},
        {"output_shape": (5,)},
        {"per_element": True},
        {"attention": {"kind": "mha"}},
        {"lsm": "pca"},
        {"context_builder": "sine"},
        {"amp": True, "amp_dtype": "float8"},
        {"preserve_shape": True, "stateful": True},
        {"state": {"speed": 1}},
    ],
    ids=str,
)
def test_what_is_not_allowed_is_refused_by_fit(wrong) -> None:
    with pytest.raises(ValueError, match=r"got|greater than"):
        learned(**wrong).fit(X, Y)


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [(ResPSANNRegressor, {"w0_first": 3.0}), (WaveResNetRegressor, {"k_fft": 3}), (PSANNRegressor, {"num_workers": 2})],
)
def test_what_has_no_effect_is_told(kind, parameter) -> None:
    with pytest.warns(UserWarning, match="no effect"):
        kind(epochs=1, hidden_units=4, hidden_layers=1, **parameter).fit(X, Y)


@pytest.mark.parametrize("kind", [ResPSANNRegressor, ResConvPSANNRegressor, WaveResNetRegressor])
def test_a_network_without_state_refuses_one(kind) -> None:
    with pytest.raises(ValueError, match="keeps no state"):
        kind(stateful=True).fit(X, Y)
