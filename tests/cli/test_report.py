"""`hotloop report` draws the page from an evidence folder and from a result.json alike."""

import json
import shutil
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "exits.py"


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `prove --out` left."""
    import os
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("proven")
    shutil.copy(SCRIPT, folder)
    (folder / "plan.toml").write_text("")
    line = "prove exits.py --plan plan.toml --budget 8s --steps 6 --out out --json"
    done = subprocess.run(
        [sys.executable, "-m", "hotloop", *line.split()],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HOTLOOP_HISTORY": f"sqlite:///{folder / 'history.db'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 3), done.stderr
    assert json.loads(done.stdout) == json.loads((folder / "out" / "result.json").read_text())
    return folder / "out"


def test_out_holds_the_plan_the_page_the_result_and_the_evidence(proven: Path) -> None:
    assert {path.name for path in proven.iterdir()} == {"plan.toml", "report.html", "result.json", "evidence"}


@pytest.mark.parametrize("source", ["evidence", "result.json", "."])
def test_a_page_is_drawn_again(source: str, proven: Path, tmp_path: Path, hotloop) -> None:
    done = hotloop("report", str(proven / source), "--out", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").read_text() == (proven / "report.html").read_text()


def test_the_document_of_an_evidence_folder_is_that_of_the_session(proven: Path, hotloop) -> None:
    done = hotloop("report", str(proven / "evidence"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((proven / "result.json").read_text())
