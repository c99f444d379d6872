"""Allowances say why a finding is right where it stands; here is what is found about allowances themselves."""

from hotloop.finding import Finding
from hotloop.lint.rule import RuleDoc

STALE, UNREASONED = "AL01", "AL02"
DOCS = {
    STALE: RuleDoc(
        title="an allowance that allows nothing",
        why="The finding it was written for is gone; left in place, it would hide the next one.",
        cure="Remove the comment or the entry.",
        not_reported="Allowances for codes that were not selected in this run are not judged.",
    ),
    UNREASONED: RuleDoc(
        title="an allowance without a code or a reason",
        why="Without a reason nobody can tell later whether it still holds. It allows nothing.",
        cure="Write `# hotloop: allow SY01 reason=read once by design`.",
    ),
}


def allowance_finding(code: str, path: str, line: int, message: str) -> Finding:
    """The finding that an allowance itself is stale, or says no code and reason."""
    return Finding(code=code, path=path, line=line, message=message, cure=DOCS[code].cure)
