import dataclasses
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.records.documents import read_result, result_data, result_json
from hotloop.report import render_page, write_page

VOID = {"meta", "wbr", "br"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not nest."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("name", ["proven", "untold"])
def test_the_page_stands_alone(request, name):
    page = Page(render_page(request.getfixturevalue(name)))
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not {"src", "href", "xlink:href", "srcset", "action"} & {key for key, _ in page.attributes}
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert not any(word in page.text for word in ("@import", "url(", "http://", "https://"))


def test_every_trial_is_on_the_page(proven):
    text = Page(render_page(proven)).text
    for trial in proven.trials:
        assert trial.change in text
        assert trial.reason in text
        assert all(verdict.message in text for verdict in trial.verdicts)


def test_the_page_says_what_was_kept_and_how_to_repeat_it(proven):
    text = Page(render_page(proven)).text
    assert '[[transform]]\nname = "allocator"\nlibrary = "tcmalloc"' in text
    assert "hotloop run examples/digits_cnn.py --plan plan.toml -- --epochs 3" in text
    assert "hotloop prove --replay out/demo/evidence" in text
    assert proven.command in text


def test_a_session_that_tried_nothing_says_so_in_words(untold):
    text = Page(render_page(untold)).text
    for words in ("Nothing was tried.", "Nothing was compared, so", "No loss curves were compared.", "No memory was"):
        assert words in text
    assert "None" not in text


def test_chart_and_losses_come_before_the_notes_and_each_note_once(proven):
    text = Page(render_page(dataclasses.replace(proven, notes=(*proven.notes, *proven.notes)))).text
    headings = ("What was compared", "Does it learn the same?", "The plan", "What was tried", "Notes")
    places = [text.index(f"\n{heading}\n") for heading in headings]
    assert places == sorted(places)
    assert all(text.count(note) == 1 for note in proven.notes)


def test_a_page_redrawn_from_stored_json_is_the_same(proven):
    assert render_page(read_result(result_data(proven))) == render_page(proven)


@settings(deadline=None, max_examples=50)
@given(
    title=st.one_of(st.text(), st.sampled_from(["<b>.py", "</title><script>x()</script>", '" onload="x', "{{ 7*7 }}"]))
)
def test_any_text_stays_text(proven, title):
    def page_of(text):
        trial = dataclasses.replace(proven.trials[0], change=text, against=text, reason=text)
        said = {"workload": text, "notes": (text,), "command": text}
        return Page(render_page(dataclasses.replace(proven, message="m", trials=(trial,), **said)))

    page = page_of(title)
    assert [tag for tag in page.tags if tag != "wbr"] == [tag for tag in page_of("x").tags if tag != "wbr"]
    # A parser turns CR and NUL into something else; everything besides must come out as it went in.
    if title.isprintable():
        assert page.text.count(title) >= 5


def test_a_page_is_written_whole_and_leaves_nothing_beside_it(proven, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("former", encoding="utf-8")
    write_page(dataclasses.replace(proven, workload="caf\udce9.py"), path)
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_put_in_place_leaves_nothing_beside_it(proven, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_page(proven, tmp_path / "report.html")
    assert len(list(tmp_path.iterdir())) == 1


def test_reports_load_neither_torch_nor_scipy_nor_what_draws_them():
    code = "import sys, hotloop.report; print({'torch', 'scipy', 'jinja2', 'rich', 'tomli_w'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_drawing_everything_loads_no_torch(untold):
    code = (
        "import json, sys; from hotloop.report import *; from hotloop.records.documents import read_result;"
        "r = read_result(json.load(sys.stdin)); render_page(r); summary(r); readme_table([r]);"
        "print({'torch', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=result_json(untold), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
