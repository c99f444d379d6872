"""CO05: the dominant block left eager, a trivial one compiled."""

from hotloop.lint.rule import RuleDoc, Unlinted


class DominantBlockEager:
    code = "CO05"
    doc = RuleDoc(
        title="the dominant block left eager, or a trivial one compiled",
        why="Compiling a module that takes 1 % of the step can win 1 % at most, and costs a compilation.",
        cure="Compile the module that the time goes to, or restructure it so that it can be compiled.",
        at_runtime="Share of each module and the Amdahl limit that follows from it, in `hotloop diagnose`.",
        transform="compile",
    )
    unlinted = Unlinted(
        reason="which block dominates is a matter of measured time; no line of source says it",
        tool="hotloop diagnose",
    )
