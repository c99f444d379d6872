"""The reference of all rules, in Markdown and for a terminal, written from the documentation that each rule holds.

`python -m hotloop.lint.rule_reference docs/rules.md` writes the file.
"""

import sys
from pathlib import Path

from hotloop.lint import allowances
from hotloop.lint.catalogue import catalogue
from hotloop.lint.other_tools import OTHER_TOOLS
from hotloop.lint.rule import RuleDoc, Unlinted
from hotloop.whole_file import write_whole

_FAMILIES = {
    "SY": "Host reads and transfers",
    "DA": "Data path",
    "CO": "Compile",
    "OP": "Optimizer, gradients, precision",
    "ME": "Correctness of what is reported",
    "AL": "Allowances",
}


def doc_of(code: str) -> RuleDoc | None:
    """The documentation of a code; None for codes of other tools."""
    return next((entry.doc for entry in catalogue() if entry.code == code), allowances.DOCS.get(code))


def reference() -> str:
    """The whole reference in Markdown."""
    head = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    sections = [head, _table(), _other_tools()]
    for family in dict.fromkeys([*_FAMILIES, *(entry.code[:2] for entry in catalogue())]):
        own = [entry for entry in catalogue() if entry.code.startswith(family)]
        sections.append(f"## {_FAMILIES.get(family, family)}\n")
        sections += [_section(entry.code, entry.doc, entry.unlinted) for entry in own]
        if family == "AL":
            sections += [_section(code, doc, None) for code, doc in allowances.DOCS.items()]
    return "\n".join(sections)


def catalogue_text() -> str:
    """All codes with their titles, and who finds them, for a terminal."""
    rows: list[str] = []
    for entry in catalogue():
        rows.append(f"{entry.code}  {entry.doc.title}")
        if entry.unlinted is not None:
            rows.append(f"      not linted: {entry.unlinted.reason} -> {entry.unlinted.tool}")
    rows += [f"{code}  {doc.title}" for code, doc in allowances.DOCS.items()]
    rows += ["", "Rules of other tools that belong to this catalogue:"]
    rows += [f"{rule.code}  {rule.tool}: {rule.what} ({rule.covers})" for rule in OTHER_TOOLS]
    return "\n".join(rows) + "\n"


def _table() -> str:
    rows = ["| code | what | found by |", "|---|---|---|"]
    for entry in catalogue():
        by = entry.unlinted.tool if entry.unlinted else "`hotloop lint`"
        rows.append(f"| [{entry.code}](#{entry.code.lower()}) | {entry.doc.title} | {by} |")
    return "\n".join(rows) + "\n"


def _other_tools() -> str:
    rows = [
        "## Rules of other tools to turn on\n",
        "They are not written again here. TorchFix is run by `hotloop lint` where it is installed.\n",
    ]
    rows += ["| code of theirs | tool | what it finds | covers |", "|---|---|---|---|"]
    rows += [f"| {rule.code} | {rule.tool} | {rule.what} | {rule.covers} |" for rule in OTHER_TOOLS]
    return "\n".join(rows) + "\n"


def _section(code: str, doc: RuleDoc, unlinted: Unlinted | None) -> str:
    lines = [f'<a id="{code.lower()}"></a>', f"### {code}: {doc.title}\n", f"{doc.why}\n", f"**Cure.** {doc.cure}\n"]
    if doc.transform:
        lines.append(f"**Transform.** `{doc.transform}`, tried by `hotloop tune`.\n")
    if unlinted is not None:
        lines.append(f"**In source.** Not linted: {unlinted.reason}. Use {unlinted.tool}.\n")
    elif doc.not_reported:
        lines.append(f"**In source.** {doc.not_reported}\n")
    if doc.at_runtime:
        lines.append(f"**In a run.** {doc.at_runtime}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    write_whole(Path(sys.argv[1]), reference())
