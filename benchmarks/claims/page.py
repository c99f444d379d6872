"""Writes docs/claims.md from the raw samples of this machine: `python -m benchmarks.claims.page`."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.claims.evidence import RESULTS, Evidence, digits, span, times
from benchmarks.claims.trial import SOURCES, Claim, Judgement, Ruling, load, names
from hotloop.whole_file import write_whole

DEFAULT = RESULTS / "amd-epyc-2-cores" / "claims"
TARGET = Path(__file__).parents[2] / "docs" / "claims.md"

INTRODUCTION = """# Claims on trial

Two reviews of public training programs promised that certain changes make them faster or safer. Here each of their
claims stands beside what a benchmark of this project measured, null results included. No figure on this page is typed
by hand: `python -m benchmarks.claims.page` writes it from the raw samples in
`{results}`, and a test compares the two.

**How to read it.** "13.0x [12.1, 14.2]" is a ratio of times: above 1 the change is faster, below 1 slower. In brackets
stands the 98 % interval over {processes} fresh processes; within each, the variants take turns in random order on one
core and one thread, on the same inputs, after a check that their results are equal. A change counts as faster only when
its interval clears 2 % and what two identical variants differ by here, the rule for every other claim of hotloop. What
can be counted (host reads, operators, compiles, bytes, hits) is counted by code. Other machines, sizes and versions
give other figures: the commands are there to be repeated.

**Verdicts.**

- *{holds}*: the promise was met.
- *{half}*: the problem or the gain is real, the rest of the claim is not.
- *{fails}*: measured, and not so.
- *{cuda}*: only a GPU could settle it, and these samples were taken without one; the benchmark runs there
  as well.
- *{unclear}*: the samples do not decide it.
"""


def table(found: Mapping[str, tuple[Claim, Evidence, Judgement]], source: str) -> Iterator[str]:
    """The claims of one source beside what was measured."""
    yield "| item | claim | claimed | measured here | verdict | why |"
    yield "|---|---|---|---|---|---|"
    for name, (claim, _, judgement) in found.items():
        if name.startswith(source):
            link = f"[{claim.item}: {claim.title}](#{name})"
            cells = (link, claim.text, claim.figure, judgement.measured, f"**{judgement.ruling}**", judgement.why)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def details(name: str, claim: Claim, evidence: Evidence) -> Iterator[str]:
    """Everything that was timed and counted for one claim, and the command that repeats it."""
    yield f'<a id="{name}"></a>'
    yield ""
    yield f"### {claim.item}: {claim.title}"
    yield ""
    if evidence.sizes:
        yield "| work | variant | one call, median [95 %] | ratio to the first [98 %] |"
        yield "|---|---|---|---|"
    for size in evidence.sizes:
        for number, variant in enumerate(evidence.variants(size)):
            seconds = evidence.seconds(size, variant)
            spread = f"{span(seconds.ratio)} [{span(seconds.low)}, {span(seconds.high)}]"
            ratio = times(evidence.ratio(size, variant)) if number else ""
            yield f"| {'' if number else size} | {variant} | {spread} | {ratio} |"
        yield f"| | *the first again* | | {times(evidence.ratio(size, 'again'))} |"
    if evidence.sizes:
        yield ""
    for what, value in evidence.counts.items():
        yield f"- {what}: {digits(value)}"
    if evidence.counts:
        yield ""
    yield f"Repeat with `{evidence.command}`."
    yield ""


def machines(evidences: list[Evidence]) -> Iterator[str]:
    """What the figures depend on; one line for each environment that differs."""
    seen = Counter(
        f"{e.environment.cpu}, {len(e.environment.cores)} cores"
        + (f", {', '.join(e.environment.gpus)}" if e.has_cuda else ", no GPU")
        + f"; {e.environment.platform.partition('-')[0]}; Python {e.environment.python}, torch {e.environment.torch}; "
        f"{'wall time' if e.clock == 'wall' else 'CPU time of the process'}"
        for e in evidences
    )
    for line, count in seen.items():
        yield f"- {line} ({count} claims). Other packages as pinned in constraints.txt."


def judged(folder: Path) -> dict[str, tuple[Claim, Evidence, Judgement]]:
    """Every claim with its samples and its ruling, in the order of the page. Raises FileNotFoundError for a gap."""
    found = {}
    for name in names():
        claim, evidence = load(name), Evidence.read(folder / f"{name}.json")
        found[name] = claim, evidence, claim.judge(evidence)
    return found


def page(folder: Path = DEFAULT) -> str:
    """The whole page."""
    found = judged(folder)
    evidences = [evidence for _, evidence, _ in found.values()]
    rulings = Counter(judgement.ruling for _, _, judgement in found.values())
    lines = [
        INTRODUCTION.format(
            results=folder.relative_to(RESULTS.parents[1]) if folder.is_relative_to(RESULTS.parents[1]) else folder,
            processes=" or ".join(map(str, sorted({evidence.num_processes for evidence in evidences}))),
            holds=Ruling.HOLDS,
            half=Ruling.HALF,
            fails=Ruling.FAILS,
            cuda=Ruling.NO_CUDA,
            unclear=Ruling.UNCLEAR,
        ),
        f"Of {len(found)} claims: " + ", ".join(f"{rulings[r]} *{r}*" for r in Ruling if rulings[r]) + ".",
        "",
    ]
    for source, title in SOURCES.items():
        lines += [f"## {title}", "", *table(found, source), ""]
    lines += ["## The machine", "", *machines(evidences), "", "## Samples behind the verdicts", ""]
    for name, (claim, evidence, _) in found.items():
        lines += details(name, claim, evidence)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=DEFAULT, help="folder with one JSON file for each claim")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    write_whole(options.out, page(options.results))


if __name__ == "__main__":
    main()
