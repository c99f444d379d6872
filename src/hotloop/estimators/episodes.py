"""Training on episodes of a series for a reward."""

from dataclasses import asdict, replace

from hotloop.estimators.episode_context import context_extractor
from hotloop.estimators.network import compiled, continued
from hotloop.estimators.progress import epoch_progress
from hotloop.estimators.request import FitRequest, History, Learned
from hotloop.estimators.supervised import fit_supervised
from hotloop.train.episodic import train_episodic


def fit_episodes(request: FitRequest) -> Learned:
    """What the network learned from episodes of the rows; it is trained in place, after the warm start asked for.

    Early stopping without validation data watches the reward of the whole training series.
    """
    settings, network, validation = request.episodes, request.network, request.validation
    assert settings is not None
    options = settings.options
    before = Learned(network=network, episodes=settings, warm_start_history=_warm_start(request))
    if request.on_start is not None:
        request.on_start(before)
    watched = None if validation is None else validation.rows
    if watched is None and options.patience is not None:
        watched = request.rows
    # A compiled step contains the network; two compilers around it would be one too many.
    compile_keywords = None if options.compile != "off" else request.compile
    with epoch_progress("hisso", epochs=options.epochs, verbose=request.verbose) as show:
        run = train_episodic(
            compiled(continued(network.net), compile_keywords),
            request.rows,
            options,
            reward=settings.reward,
            context=context_extractor(network, settings.context, request.rows, validation),
            seed=request.seed,
            action_dim=network.outputs.columns,
            validation=watched,
            recorder=request.recorder,
            on_epoch=lambda epoch: show(epoch.epoch, reward=epoch.reward, validation=epoch.validation),
        )
    network.net.eval()
    return replace(before, history=[asdict(epoch) for epoch in run.history], profile=run.profile.as_dict())


def _warm_start(request: FitRequest) -> History:
    """The history of the warm start; empty where none was asked for, or where it lies behind a run that goes on."""
    goes_on = request.recorder is not None and request.recorder.begin() is not None
    if request.supervision is None or goes_on:
        return []
    return fit_supervised(replace(request, validation=None)).history or []
