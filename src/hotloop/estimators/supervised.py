"""Training on targets."""

from hotloop.estimators.network import NoisyInputs, compiled, continued
from hotloop.estimators.progress import epoch_progress
from hotloop.estimators.request import FitRequest, Learned
from hotloop.train.episodic import train_supervised


def fit_supervised(request: FitRequest) -> Learned:
    """What the network learned from the targets of the request; it is trained in place.

    Early stopping without validation data watches the loss on all training rows after each epoch.
    """
    task, network, validation = request.supervision, request.network, request.validation
    assert task is not None
    held_out = None if validation is None else (validation.rows, validation.targets)
    if held_out is None and task.options.patience is not None:
        held_out = request.rows, task.targets
    net = continued(network.net)
    with epoch_progress(task.title, epochs=task.options.epochs, verbose=task.verbose) as show:
        run = train_supervised(
            compiled(net if task.noise is None else NoisyInputs(net, task.noise), request.compile),
            request.rows,
            task.targets,
            task.options,
            criterion=task.criterion,
            validation=held_out,
            on_epoch=lambda epoch: show(epoch.number, loss=epoch.loss, val_loss=epoch.validation),
        )
    network.net.eval()
    history = [
        {
            "epoch": epoch.number,
            "train_loss": epoch.loss,
            "val_loss": epoch.validation,
            "steps": epoch.updates,
            "skipped": epoch.skipped,
        }
        for epoch in run.history
    ]
    return Learned(network=network, history=history)
