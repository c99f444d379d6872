"""Two interpreters: versions are read from each, and one whose module is slower is named in the text of the issue."""

import sysconfig
import venv

import pytest

from hotloop.errors import RevisionError
from hotloop.guard.compare_revisions import compare_revisions
from hotloop.guard.limits import GuardSettings
from hotloop.guard.pages import page_of
from hotloop.guard.request import Request
from hotloop.guard.side import Installation
from hotloop.proof.session import Options

from .conftest import changed

PROGRAM = "import extra_work\n" + changed("    loss.backward()", "    extra_work.work(loss)\n    loss.backward()")
VERSIONS = {"1.0": "def work(loss):\n    pass\n", "2.0": "def work(loss):\n    loss.item()\n"}


@pytest.fixture
def pythons(tmp_path):
    """Two virtual environments on this one's packages, each with a version of `extra_work`."""
    found = []
    for version, text in VERSIONS.items():
        folder = tmp_path / f"env-{version}"
        venv.create(folder, symlinks=True)
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (packages / "extra_work.py").write_text(text)
        info = packages / f"extra_work-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: extra-work\nVersion: {version}\n")
        found.append(str(folder / "bin" / "python"))
    return found


def test_versions_are_read_from_each(pythons):
    old, new = map(Installation.of, pythons)
    assert old.differences(new) == {"extra-work": ("1.0", "2.0")}
    assert old.packages["torch"] == new.packages["torch"]


def test_what_is_no_interpreter_is_refused(tmp_path):
    with pytest.raises(RevisionError, match="give the path of an interpreter"):
        Installation.of(str(tmp_path / "python"))


def test_the_issue_names_what_differs(pythons, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "train.py").write_text(PROGRAM)
    settings = GuardSettings(metrics=("host_reads", "operators"), steps=10)
    request = Request(target="train.py", folder=home, base_python=pythons[0], head_python=pythons[1], settings=settings)
    report = compare_revisions(request, options=Options())
    assert report.worse == ["host_reads"], report.message
    page = page_of(report)
    assert "| extra-work | 1.0 | 2.0 |" in page
    assert "host reads: " in page
    assert pythons[1] in page
