"""ME03: one NaN batch that poisons a mean; only a planted NaN shows it."""

from hotloop.lint.rule import Page, Unlinted


class NanInMean:
    code = "ME03"
    page = Page(
        title="one NaN batch poisons the mean",
        why="A sum that met one NaN is NaN for the rest of the epoch: the figure no longer tells of the other batches, "
        "nor how many were bad.",
        cure="Count the finite and the non-finite batches on the device, average the finite, report both.",
        dynamic="`hotloop diagnose` reports non-finite losses with the step at which they came.",
    )
    unlinted = Unlinted(
        reason="Every sum of losses would be reported: whether a NaN can come, and whether it should stop the run, is "
        "not in the source.",
        tool="a test that plants a NaN batch",
    )
