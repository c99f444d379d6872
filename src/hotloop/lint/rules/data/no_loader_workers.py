"""DA06: a loader without workers; TorchFix reports it."""

from hotloop.lint.rule import RuleDoc, Unlinted


class NoLoaderWorkers:
    code = "DA06"
    doc = RuleDoc(
        title="a loader without workers",
        why="With `num_workers=0` the training process loads every batch itself, between two steps.",
        cure="Give the loader workers where the wait in `next()` is more than a few percent of the step.",
        at_runtime="The wait in `next(loader)` as a share of the step, in `hotloop diagnose`.",
        transform="data_loading",
    )
    unlinted = Unlinted(
        reason="TorchFix has it as TOR401, which this command runs where TorchFix is installed", tool="TorchFix TOR401"
    )
