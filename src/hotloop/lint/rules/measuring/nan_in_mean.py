"""ME03: one NaN batch that makes a whole mean NaN; only a planted NaN shows it."""

from hotloop.lint.rule import RuleDoc, Unlinted


class NanInMean:
    code = "ME03"
    doc = RuleDoc(
        title="one NaN batch makes the whole mean NaN",
        why="One NaN makes the epoch's sum NaN: the figure tells nothing of other batches, nor how many were bad.",
        cure="Count the finite and the non-finite batches on the device, average the finite, report both.",
        at_runtime="`hotloop diagnose` reports non-finite losses with the step at which they came.",
    )
    unlinted = Unlinted(
        reason="every sum of losses would be reported: whether a NaN can come, and whether it should stop the run, is "
        "not in the source",
        tool="a test that plants a NaN batch",
    )
