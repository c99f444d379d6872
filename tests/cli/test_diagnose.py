"""`hotloop diagnose`: the document, the text, the codes."""

import json
from pathlib import Path

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1))
optimizer = torch.optim.AdamW(model.parameters())
for step in range(100_000):
    loss = model(torch.randn(128, 64)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item())
"""


def test_the_document_keeps_its_contract_and_the_text_says_where(hotloop, home: Path) -> None:
    (home / "train.py").write_text(SCRIPT)
    done = hotloop("diagnose", "train.py", "--steps", "8", "--budget", "4s", "--json", "--out", "seen/found.json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((home / "seen/found.json").read_text())
    assert document["schema"] == 1
    assert {"phases", "findings", "modules", "environment"} <= set(document)
    assert all(
        {"code", "path", "line", "per_step", "share", "bound", "cure", "message"} <= set(found)
        for found in document["findings"]
    )
    read = next(found for found in document["findings"] if found["code"] == "SY01")
    assert (read["path"], read["line"], read["per_step"]) == (str(home / "train.py"), 12, 1.0)
    assert read["docs"] == "docs/rules.md#sy01"
    assert document["modules"][0]["name"] == "Sequential"


def test_the_text_names_phases_and_lines(hotloop, home: Path) -> None:
    (home / "train.py").write_text(SCRIPT)
    done = hotloop("diagnose", "train.py", "--steps", "8", "--budget", "3s")
    assert done.returncode == 0, done.stderr
    assert "train.py:12" in done.stdout
    assert all(word in done.stdout for word in ("forward", "backward", "SY01", "fused_optimizer"))


def test_a_script_that_crashes_leaves_with_2_and_its_traceback(hotloop, home: Path) -> None:
    (home / "train.py").write_text("raise ValueError('no data today')\n")
    done = hotloop("diagnose", "train.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no data today" in done.stderr


def test_a_program_that_ends_too_soon_is_told_what_it_needs(hotloop, home: Path) -> None:
    (home / "train.py").write_text(SCRIPT.replace("100_000", "3"))
    done = hotloop("diagnose", "train.py")
    assert done.returncode == 2
    assert "train longer" in done.stderr
