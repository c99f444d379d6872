import pytest

from tools.house.drawing import differences_from_drawing

FILES = {
    "src/tiny/room/thing.py": "",
    "src/tiny/room/rules/data/rule.py": "",
    "src/tiny/other/templates/page.html": "",
    "src/tiny/other/thing.py": "",
}


def document(drawing):
    return {"docs/architecture.md": f"# House\n\n```text\n{drawing}\n```\n\n```\nelsewhere/\n```\n"}


@pytest.mark.parametrize(
    "drawing",
    [
        " room/   thing, rules/<family>/<concept>.py (A/A)\n ----\n other/   templates/ | fp32/bf16, docs at http://a/b",
        " room/ other/\n rules/: data/ (one a file)",
    ],
)
def test_a_drawing_with_every_folder_is_right(write, drawing):
    assert not differences_from_drawing(write({**FILES, **document(drawing)}))


def test_what_is_drawn_but_absent_and_what_is_there_but_not_drawn_are_named(write):
    checkout = write({**FILES, **document(" room/ rules/<family>\n measure/")})
    assert [str(offender) for offender in differences_from_drawing(checkout)] == [
        "docs/architecture.md:5: draws measure/, which is no folder of the package",
        "src/tiny/other: is not drawn in docs/architecture.md",
    ]


def test_a_document_without_a_drawing_is_refused(write):
    with pytest.raises(ValueError, match="draw the folders"):
        differences_from_drawing(write({"docs/architecture.md": "# House\n"}))
