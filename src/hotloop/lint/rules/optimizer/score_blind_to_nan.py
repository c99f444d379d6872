"""OP05: a health score that does not see NaN; only a planted NaN shows it."""

from hotloop.lint.rule import RuleDoc, Unlinted


class ScoreBlindToNan:
    code = "OP05"
    doc = RuleDoc(
        title="a health score that does not see NaN",
        why="Every comparison with NaN is false. A score that starts at 1 and is lowered where a norm exceeds a limit "
        "stays at 1 when the norm is NaN: the worst state is reported as the best.",
        cure="Count non-finite values first, and let a single one decide the score.",
        at_runtime="Non-finite gradients and losses, in `hotloop diagnose`. For a score of yours, plant a NaN in one.",
    )
    unlinted = Unlinted(
        reason="a comparison with a limit looks the same whether NaN was ruled out before, in another function, or not "
        "at all; a planted NaN shows it",
        tool="a test that plants a NaN",
    )
