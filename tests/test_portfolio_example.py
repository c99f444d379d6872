import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_portfolio_example_judges_every_strategy_and_draws_it(tmp_path):
    pytest.importorskip("skfolio")
    result, figure, page = (tmp_path / name for name in ("r.json", "f.svg", "p.md"))
    call = [sys.executable, ROOT / "examples" / "hisso" / "portfolio.py", "--seeds", "2", "--epochs", "1"]
    outputs = ["--result", result, "--figure", figure, "--page", page]
    subprocess.run([*call, *outputs], check=True, capture_output=True)
    document = json.loads(result.read_text())
    assert len(document["strategies"]["hotloop policy"]["runs"]) == 2
    assert document["strategies"]["buy and hold"]["runs"][0]["yearly_turnover"] == pytest.approx(0.0, abs=1e-6)
    assert document["strategies"]["equal weight"]["yearly_excess"] == 0.0
    assert figure.read_text().startswith("<svg")
    assert "| minimum variance |" in page.read_text()
