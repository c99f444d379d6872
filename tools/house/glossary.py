"""Words that the house has given up, each with the one to say in its place, and where the old one may still stand."""

import re
from dataclasses import dataclass

EVERYWHERE = ("*",)
COMPARING = ("compare/*", "proof/*", "tune/*", "records/*", "measurement.py", "trial.py")


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """A use that is no offence: what is taken out of a line, in which files of the package, and why."""

    pattern: str
    why: str
    files: tuple[str, ...] = EVERYWHERE


@dataclass(frozen=True, kw_only=True)
class OldWord:
    """`pattern` finds the word in code and prose; `files` are the only ones where it means what was given up."""

    say: str
    pattern: str
    files: tuple[str, ...] = EVERYWHERE
    allowed: tuple[Allowed, ...] = ()


def word(*forms: str) -> str:
    """Matches these words alone and as part of a name: `heat`, `Heat`, `run_heat`, `RunHeat`, `HEATS`; not `cheat`."""
    plain = "|".join(map(re.escape, forms))
    title = "|".join(re.escape(form.capitalize()) for form in forms)
    return rf"(?<![A-Za-z])(?i:{plain})(?![a-z])|(?<=[a-z])(?:{title})(?![a-z])"


SIMD_LANES = Allowed(
    pattern=r"\bk?(?:L|l)anes?\b|\bLANES\b",
    why="lanes of a vector register",
    files=("kernels/*", "train/flat/fused_network.py"),
)
RACE_CONDITION = Allowed(pattern=r"race conditions?|data races?", why="the term of concurrent programming")
IN_SIGHT = Allowed(pattern=r"\b(?:in|out of) sight\b", why="plain English: what source code shows, or does not")
OF_COURSE = Allowed(pattern=r"\bof course\b", why="plain English")
LOOK_AT = Allowed(pattern=r"\blooks? (?:up|at|for|like|into)\b|lookup", why="the verb")
PAIR_OF_SCHEMA_1 = Allowed(
    pattern=r"\bpairs?\b", why="the name in documents and tables of schema 1", files=("records/*",)
)
RACE_OF_SCHEMA_1 = Allowed(
    pattern=r"\brace\b", why="the name in documents and tables of schema 1", files=("records/*",)
)
GATE_OF_A_VERDICT = Allowed(pattern=r"\bgate=", why="the verification that a verdict is of")
DRY_RUN_OPTION = Allowed(
    pattern=r"--dry-run\b", why="the usual option of commands that remove things", files=("cli/history.py",)
)
EXIT_STACK = Allowed(pattern=r"\bstack\.\w+\(|ExitStack\(\) as stack", why="contextlib's")

OLD_WORDS: tuple[OldWord, ...] = (
    OldWord(say="replicate", pattern=word("heat", "heats")),
    OldWord(say="replicate", pattern=r"(?i)process[ -]pairs?"),
    OldWord(say="replicate", pattern=word("pair", "pairs"), files=COMPARING, allowed=(PAIR_OF_SCHEMA_1,)),
    OldWord(
        say="replicate", pattern=word("look", "looks"), files=("compare/*", "proof/*", "tune/*"), allowed=(LOOK_AT,)
    ),
    OldWord(say="arm", pattern=rf"{word('lane', 'lanes')}|\bkLanes\b", allowed=(SIMD_LANES,)),
    OldWord(say="screening", pattern=word("contest", "contests")),
    OldWord(say="candidate", pattern=word("contender", "contenders")),
    OldWord(say="comparison", pattern=word("race", "races"), allowed=(RACE_CONDITION, RACE_OF_SCHEMA_1)),
    OldWord(say="compared, measured", pattern=word("raced", "racing")),
    OldWord(say="combination", pattern=word("ladder", "ladders", "rung", "rungs")),
    OldWord(say="combination", pattern=word("stack", "stacks", "stacked"), files=("tune/*",), allowed=(EXIT_STACK,)),
    OldWord(say="greedy pass", pattern=word("climb", "climbs", "climbed", "climbing")),
    OldWord(say="excluded", pattern=word("settled")),
    OldWord(say="probe", pattern=word("spy", "spies")),
    OldWord(say="call site", pattern=word("sight", "sights"), allowed=(IN_SIGHT,)),
    OldWord(say="trace context", pattern=word("scene", "scenes")),
    OldWord(say="capture guards", pattern=word("survey", "surveys", "surveyed")),
    OldWord(say="flat step", pattern=word("lean")),
    OldWord(say="TrainingMonitor", pattern=word("watchman", "watchmen")),
    OldWord(say="checkpoint", pattern=word("resumption", "resumptions")),
    OldWord(say="training state", pattern=word("course", "courses"), allowed=(OF_COURSE,)),
    OldWord(say="affects phases", pattern=word("shortens")),
    OldWord(
        say="share by phase", pattern=r"\breach\s*(?:=|:|\()|\.reach\b|_reach\b|\breach_|\bthe reach of\b|\bReach\b"
    ),
    OldWord(say="reference, tolerance", pattern=word("yardstick", "yardsticks")),
    OldWord(say="checkpoint", pattern=word("snapshot", "snapshots")),
    OldWord(say="host sync, wait", pattern=word("stall", "stalls", "stalled")),
    OldWord(say="warmup", pattern=r"(?i)\bburn[ -]in\b|\bdry[ -]run\b", allowed=(DRY_RUN_OPTION,)),
    OldWord(say="batch", pattern=r"(?i)mini-?batch"),
    OldWord(
        say="start barrier",
        pattern=word("gate", "gates"),
        files=("worker/*", "compare/*", "workloads/hooks.py"),
        allowed=(GATE_OF_A_VERDICT,),
    ),
    OldWord(
        say="WorkerSpec, ObservationSpec, Observation, GateResult, Tolerance",
        pattern=r"\b(?:class )?(?:Order|Watch(?:ed)?|Answer|Class)(?=[(\[\])|,:.]|$)",
    ),
    OldWord(say="inference", pattern=r"\bas statistics\b|\b(?:compare|measure)(?:\.| import )statistics\b"),
    OldWord(
        say="compare, worker, records, machine, tune, proof, deploy, lint, runs",
        pattern=r"\bhotloop\.(?:measure|optimize|fit)\b|\b(?:static|traced|optimize|measure)/\w",
    ),
)
