"""Findings as text, JSON, SARIF 2.1.0 and GitHub annotations."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hotloop.finding import Finding
from hotloop.lint.rule_reference import doc_of

SCHEMA = 1
FORMATS = ("text", "json", "sarif", "github")


def render(findings: Iterable[Finding], format: str) -> str:
    """The findings in one of FORMATS, with a newline at the end where there is any text."""
    return {"text": _text, "json": _json, "sarif": _sarif, "github": _github}[format](list(findings))


def _text(findings: list[Finding]) -> str:
    lines: list[str] = []
    for finding in findings:
        cost = f" ({finding.share:.1%} of the step)" if finding.share is not None else ""
        lines.append(f"{finding.path}:{finding.line}:{finding.column + 1}: {finding.code} {finding.message}{cost}")
        lines.append(f"    {finding.cure}")
    return "".join(f"{line}\n" for line in lines)


def _json(findings: list[Finding]) -> str:
    names = ("code", "path", "line", "message", "cure", "hot")
    rows = [{name: getattr(finding, name) for name in names} for finding in findings]
    return json.dumps({"schema": SCHEMA, "findings": rows}, indent=2) + "\n"


def _github(findings: list[Finding]) -> str:
    return "".join(
        f"::warning file={_property(finding.path)},line={finding.line},col={finding.column + 1},"
        f"title={_property(finding.code)}::{_data(f'{finding.message}. {finding.cure}')}\n"
        for finding in findings
    )


def _data(text: str) -> str:
    """Escaped as the runner's commands ask for: percent signs and line ends."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _sarif(findings: list[Finding]) -> str:
    from hotloop.version import __version__

    codes = sorted({finding.code for finding in findings})
    driver = {"name": "hotloop", "version": __version__, "rules": [_sarif_rule(code) for code in codes]}
    results = [_sarif_result(finding, codes.index(finding.code)) for finding in findings]
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json.dumps(document, indent=2) + "\n"


def _sarif_rule(code: str) -> dict[str, Any]:
    doc = doc_of(code)
    if doc is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": doc.title},
        "fullDescription": {"text": doc.why},
        "help": {"text": doc.cure},
        "defaultConfiguration": {"level": "warning"},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    path = Path(finding.path)
    where = {
        # A relative reference where the path is relative.
        "artifactLocation": {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())},
        "region": {"startLine": finding.line, "startColumn": finding.column + 1},
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": "warning",
        "message": {"text": f"{finding.message}. {finding.cure}"},
        "locations": [{"physicalLocation": where}],
    }
