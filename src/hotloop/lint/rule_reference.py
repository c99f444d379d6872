"""The handbook of rules, written from their own pages: `python -m hotloop.lint.rule_reference docs/rules.md`."""

import sys
from pathlib import Path

from hotloop.lint import allowances
from hotloop.lint.catalogue import CatalogueEntry, catalogue
from hotloop.lint.other_tools import RUFF, TORCHFIX
from hotloop.lint.rule import Page
from hotloop.whole_file import write_whole

_FAMILIES = {
    "SY": "Host reads and transfers",
    "DA": "Data path",
    "CO": "Compile",
    "OP": "Optimizer, gradients, precision",
    "ME": "Correctness of what is reported",
    "AL": "Allowances",
}
_HEAD = """# Rules

What `hotloop lint` reads from source and `hotloop diagnose` sees in a running program, one section a code. Written by
`python -m hotloop.lint.rule_reference docs/rules.md` from the rules themselves; edit those.

*Hot code* is what runs for every batch or sample: the innermost loop that iterates a loader or holds `backward()` or
`optimizer.step()`; the body of a module's `forward`, of `training_step` and its kin, of `__getitem__`, of a collate
function, and of a function that holds both `backward()` and the optimizer's step. Not hot: what stands after the batch
loop though inside the epoch loop, under `if step % n == 0`, or on a branch that raises or leaves the loop.

A finding that is right where it stands is allowed by a comment on its statement or on the line above,
`# hotloop: allow SY01 reason=read once by design`, or by an entry of an allow-list (`--allow-list FILE`; without the
option `hotloop-allow.toml` in the current folder):

```toml
[[allow]]
key = "src/train.py:Trainer.fit:SY01"   # path from this file's folder : scope : code
owner = "ana"
reason = "the scheduler needs the loss on the host"
```

As a flake8 plug-in the codes carry an H in front (HSY01): flake8 wants one prefix of at most three letters for each
plug-in, and SY or DA alone could be another's. Allow comments count there too; allow-lists and TorchFix do not.
"""


def page_of(code: str) -> Page | None:
    """The page of a code; None for codes of other tools."""
    return next((entry.page for entry in catalogue() if entry.code == code), allowances.PAGES.get(code))


def handbook() -> str:
    """The whole handbook in Markdown."""
    sections = [_HEAD, _table(), _advice()]
    for family in dict.fromkeys([*_FAMILIES, *(entry.code[:2] for entry in catalogue())]):
        own = [entry for entry in catalogue() if entry.code.startswith(family)]
        sections.append(f"## {_FAMILIES.get(family, family)}\n")
        sections += [_section(entry.code, entry.page, entry) for entry in own]
        if family == "AL":
            sections += [_section(code, page, None) for code, page in allowances.PAGES.items()]
    return "\n".join(sections)


def catalogue_text() -> str:
    """All codes with their titles, and who finds them, for a terminal."""
    rows = [f"{entry.code}  {entry.page.title}" + _elsewhere(entry) for entry in catalogue()]
    rows += [f"{code}  {page.title}" for code, page in allowances.PAGES.items()]
    rows += ["", "Rules of other tools that belong to this catalogue:"]
    rows += [
        f"{tool.code}  {tool.tool}: {tool.what} ({', '.join(tool.codes) or 'hygiene'})" for tool in (*RUFF, *TORCHFIX)
    ]
    return "\n".join(rows) + "\n"


def _elsewhere(entry: CatalogueEntry) -> str:
    return f"\n      not linted: {entry.unlinted.reason} -> {entry.unlinted.tool}" if entry.unlinted else ""


def _table() -> str:
    rows = ["| code | what | found by |", "|---|---|---|"]
    for entry in catalogue():
        by = entry.unlinted.tool if entry.unlinted else "`hotloop lint`"
        rows.append(f"| [{entry.code}](#{entry.code.lower()}) | {entry.page.title} | {by} |")
    return "\n".join(rows) + "\n"


def _advice() -> str:
    rows = [
        "## Rules of other tools to turn on\n",
        "They are not written again here. TorchFix is run by `hotloop lint` where it is installed.\n",
    ]
    rows += ["| code of theirs | tool | what it finds | covers |", "|---|---|---|---|"]
    rows += [
        f"| {tool.code} | {tool.tool} | {tool.what} | {', '.join(tool.codes) or 'hygiene'} |"
        for tool in (*RUFF, *TORCHFIX)
    ]
    return "\n".join(rows) + "\n"


def _section(code: str, page: Page, entry: CatalogueEntry | None) -> str:
    lines = [f'<a id="{code.lower()}"></a>', f"### {code}: {page.title}\n", f"{page.why}\n", f"**Cure.** {page.cure}\n"]
    if page.transform:
        lines.append(f"**Transform.** `{page.transform}`, tried by `hotloop tune`.\n")
    if entry is not None and entry.unlinted is not None:
        lines.append(f"**In source.** Not linted: {entry.unlinted.reason}. Use {entry.unlinted.tool}.\n")
    elif page.traps:
        lines.append(f"**In source.** {page.traps}\n")
    if page.dynamic:
        lines.append(f"**In a run.** {page.dynamic}\n")
    return "\n".join(lines)


def main(path: Path) -> None:
    """Write the handbook to a file, whole or not at all."""
    write_whole(path, handbook())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
