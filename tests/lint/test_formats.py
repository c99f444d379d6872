"""Findings as text, JSON, SARIF and GitHub annotations."""

import json

import pytest

from hotloop.finding import Finding
from hotloop.lint.formats import FORMATS, render

FINDINGS = (
    Finding(code="SY01", path="a b/train.py", line=3, column=4, message="reads 100% of, it", cure="Do not."),
    Finding(code="TOR102", path="/abs/x.py", line=9, message="load\nunsafe", cure="Mend.", hot=True, share=0.25),
)


def test_the_json_contract():
    assert json.loads(render(FINDINGS, "json")) == {
        "schema": 1,
        "findings": [
            {
                "code": "SY01",
                "path": "a b/train.py",
                "line": 3,
                "message": "reads 100% of, it",
                "cure": "Do not.",
                "hot": None,
            },
            {"code": "TOR102", "path": "/abs/x.py", "line": 9, "message": "load\nunsafe", "cure": "Mend.", "hot": True},
        ],
    }


def test_text_has_a_place_an_editor_can_open_and_the_share():
    first, cure, second, _ = render(FINDINGS, "text").split("\n", 3)
    assert first == "a b/train.py:3:5: SY01 reads 100% of, it"
    assert cure == "    Do not."
    assert second.startswith("/abs/x.py:9:1: TOR102 load")


def test_sarif_has_what_the_standard_demands():
    document = json.loads(render(FINDINGS, "sarif"))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["SY01", "TOR102"]
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in ("none", "note", "warning", "error")
        region = result["locations"][0]["physicalLocation"]["region"]
        assert min(region["startLine"], region["startColumn"]) >= 1
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]
    assert uris == ["a%20b/train.py", "file:///abs/x.py"]


def test_github_annotations_are_one_escaped_line_each():
    lines = render(FINDINGS, "github").splitlines()
    assert lines[0] == "::warning file=a b/train.py,line=3,col=5,title=SY01::reads 100%25 of, it. Do not."
    assert len(lines) == 2
    assert "%0A" in lines[1]


@pytest.mark.parametrize("format", FORMATS)
def test_no_findings_are_a_valid_document_too(format):
    text = render([], format)
    assert text == "" if format in ("text", "github") else json.loads(text)
