"""`hotloop guard` from the command line: one document on stdout, a page in a file and in the summary of a CI job."""

import json
import subprocess

PROGRAM = """
import torch

model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(1000):
    loss = model(torch.ones(4, 8)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
SETTINGS = 'metrics = ["host_reads", "graph_breaks"]\nsteps = 10\n'


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def test_an_added_read_leaves_with_1_and_is_written_wherever_it_was_asked_for(hotloop, home, tmp_path, monkeypatch):
    (home / "train.py").write_text(PROGRAM)
    git(home, "init", "--quiet")
    git(home, "add", ".")
    git(home, "commit", "--quiet", "-m", "A program")
    (home / "train.py").write_text(PROGRAM + "    loss.item()\n")
    settings, page, summary = (tmp_path / name for name in ("guard.toml", "page.md", "summary.md"))
    settings.write_text(SETTINGS)
    summary.write_text("what an earlier step wrote\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    options = ["--base", "HEAD", "--settings", str(settings), "--markdown", str(page), "--json"]
    done = hotloop("guard", *options, "train.py")
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    assert [(metric["name"], metric["verdict"]) for metric in data["metrics"]] == [
        ("host_reads", "FAIL"),
        ("graph_breaks", "PASS"),
    ]
    assert "train.py:11: item" in data["metrics"][0]["message"]
    assert data["head"]["dirty"]
    assert page.read_text().startswith("### hotloop guard: regression")
    assert summary.read_text() == "what an earlier step wrote\n" + page.read_text()


def test_a_revision_that_is_not_there_leaves_with_2(hotloop, home):
    (home / "train.py").write_text(PROGRAM)
    git(home, "init", "--quiet")
    git(home, "add", ".")
    git(home, "commit", "--quiet", "-m", "A program")
    done = hotloop("guard", "--base", "nowhere", "train.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no revision 'nowhere'" in done.stderr
    assert "name a branch, a tag or a commit" in done.stderr
