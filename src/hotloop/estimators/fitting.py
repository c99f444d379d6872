"""From a call of fit to a trained network: arrays checked, network built or taken up again, trainer run."""

from collections.abc import Callable, Mapping
from typing import Any

from hotloop.estimators.arrays import check_inputs, check_targets
from hotloop.estimators.checks import check_parameters
from hotloop.estimators.context import context_columns
from hotloop.estimators.episodes import fit_episodes
from hotloop.estimators.fit_call import FitCall
from hotloop.estimators.fit_params import FitParams, with_defaults
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.old_names import warm_start_targets
from hotloop.estimators.options import chosen_device, chosen_seed, seeded
from hotloop.estimators.parameters import NetParameters
from hotloop.estimators.request import Learned
from hotloop.estimators.scaling import fit_scaler
from hotloop.estimators.shapes import Floats, output_shape
from hotloop.estimators.supervised import fit_supervised
from hotloop.train.checkpoint import CheckpointRecorder


def fit(
    given: NetParameters,
    X: Any,
    y: Any,
    params: FitParams,
    *,
    known: Fitted | None = None,
    epochs: int | None = None,
    recorder: CheckpointRecorder | None = None,
    on_start: Callable[[Learned], None] | None = None,
) -> Learned:
    """What a network learns from X and y; the one that is `known` goes on, else a new one is built.

    `epochs` overrides the estimator's own number; `recorder` and `on_start` are those of a FitRequest.
    Raises ValueError for arrays, parameters or keywords that are not allowed.
    """
    check_parameters(given)
    params = with_defaults(params)
    values, _ = check_inputs(given, X, reset=known is None)
    targets = _targets(given, y, params, len(values))
    seed = chosen_seed(given)
    with seeded(seed, chosen_device(given)):
        if known is None:
            shaping = _shaping_targets(targets, params, len(values))
            network = _new_network(given, values, shaping, params.get("context"))
        else:
            network = known
            known.inputs.check(values)
            if targets is not None:
                known.outputs.lay_out(targets[:1])  # raises where the shape is another
        call = FitCall(given=given, params=params, network=network, X=values, targets=targets, epochs=epochs)
        request = call.request(seed=seed, recorder=recorder, on_start=on_start)
        return fit_supervised(request) if request.episodes is None else fit_episodes(request)


def _targets(given: NetParameters, y: Any, params: FitParams, rows: int) -> Floats | None:
    if y is not None:
        return check_targets(y, rows)
    if not params.get("hisso"):
        raise ValueError(
            f"This {type(given).__name__} estimator requires y to be passed, but the target y is None; give y, or "
            "hisso=True to train for a reward"
        )
    return None


def _shaping_targets(targets: Floats | None, params: FitParams, rows: int) -> Floats | None:
    """The targets that say how many outputs there are: y, else those of the warm start."""
    warm = params.get("hisso_supervised")
    if targets is not None or not isinstance(warm, Mapping):
        return targets
    own = warm_start_targets(warm)
    return None if own is None else check_targets(own, rows, "hisso_supervised y")


def _new_network(given: NetParameters, X: Floats, targets: Floats | None, context: Any) -> Fitted:
    """A network drawn from torch's generators, for rows of X and, where there are `targets`, outputs shaped as they."""
    if targets is None and given.target_scaler is not None:
        raise ValueError("got a target_scaler without y; there is nothing to fit it on: give y, or leave it out")
    inputs = given.input_shape(tuple(X.shape[1:]))
    outputs = output_shape(targets, given.output_shape, inputs, per_element=given.per_element)
    columns = context_columns(
        X,
        context,
        builder=given.context_builder,
        params=given.context_builder_params,
        dim=getattr(given, "context_dim", None),
    )
    plan = given.plan(inputs, outputs.columns, columns.columns)
    device = chosen_device(given)
    return Fitted(
        plan=plan,
        net=plan.build().to(device),
        inputs=inputs,
        outputs=outputs,
        input_scaler=fit_scaler(given.scaler, given.scaler_params, inputs.lay_out(X)),
        target_scaler=(
            None
            if targets is None
            else fit_scaler(given.target_scaler, given.target_scaler_params, outputs.lay_out(targets))
        ),
        context=columns,
        device=device,
    )
