"""Usage errors: code 2, nothing on stdout, and a message that says what was given, what is allowed, what to do."""

from pathlib import Path

import pytest

CASES = {
    "prove train.py --plan plan.toml --budget soon": ["'soon'", "60s, 10m or 1h"],
    "tune train.py --budget 0s": ["'0s'", "60s, 10m or 1h"],
    "tune train.py --only warp": ["'warp'", "known are", "fused_optimizer"],
    "tune train.py --skip warp": ["'warp'", "known are"],
    "tune train.py --transforms warp": ["'warp'", "known are", "fused_optimizer"],
    "tune train.py --transforms no-warp": ["'warp'", "known are"],
    "tune train.py --objective size": ["'size'", "throughput", "memory", "both"],
    "memory train.py --room much": ["'much'", "2GiB"],
    "prove train.py --plan warp.toml": ["'warp'", "known are", "fused_optimizer"],
    "prove train.py --plan option.toml": ["'fused_optimizer'", "speed", "its options are: implementation"],
    "prove train.py --plan broken.toml": ["broken.toml", "[[transform]]"],
    "prove train.py --plan other.toml": ["other.toml", "[[transform]]"],
    "prove train.py --plan nowhere.toml": ["nowhere.toml", "[[transform]]"],
    "prove train.py": ["--plan", "--replay"],
    "prove": ["--plan", "--replay"],
    "prove -m pkg.nowhere --plan plan.toml": ["'pkg.nowhere'", "python -m"],
    "tune nowhere.py": ["nowhere.py", "give the path of a training script"],
    "run nowhere.py --plan plan.toml": ["nowhere.py", "give the path of a training script"],
    "tune convnet -- --epochs 3": ["'convnet'", "takes no arguments", "build()"],
    "tune train.py:build -- --epochs 3": ["train.py:build", "takes no arguments"],
    "tune no_such_recipe": ["'no_such_recipe'", "known are"],
    "guard train.py": ["--base REVISION", "--base-python"],
    "guard --base HEAD train.py": ["in no git repository", "--base-python and --head-python"],
    "guard --base HEAD --bisect a..b train.py": ["--bisect GOOD..BAD", "leave out"],
    "guard --base HEAD --settings other.toml train.py": ["unknown key 'tool'", "known are"],
    "guard --base-python nowhere train.py": ["'nowhere'", "give the path of an interpreter"],
    "guard --base HEAD --calibrate 2 train.py": ["--calibrate", "3"],
    "report nowhere": ["nowhere", "give an evidence folder or a result.json"],
    "report other.json": ["schema", "measure again"],
    "bench nowhere.toml": ["nowhere.toml", "give the path of a TOML file"],
    "bench other.toml": ["other.toml is no matrix", "tool: not a key here", "replicates"],
    "bench train.py --profile": ["--profile", "give --out"],
    "history --since yesterday": ["'yesterday'", "30d, 12h or 2026-01-31"],
    "history --dry-run": ["--dry-run is for --keep", "give --keep DAYS"],
    "history --out all.xlsx": ["all.xlsx", ".jsonl, .csv, .parquet"],
    "history --import nowhere.csv": ["nowhere.csv", "give a file that hotloop history --out wrote"],
    "list planets": ["'planets'", "kinds are"],
    "tune train.py --steps 2": ["--steps", "greater than or equal to 6"],
}


@pytest.fixture(autouse=True)
def files(home: Path, hotloop: object) -> None:
    (home / "train.py").write_text("raise SystemExit('must never run')\n")
    (home / "plan.toml").write_text("")
    (home / "warp.toml").write_text('[[transform]]\nname = "warp"\n')
    (home / "option.toml").write_text('[[transform]]\nname = "fused_optimizer"\nspeed = "high"\n')
    (home / "broken.toml").write_text("[[transform")
    (home / "other.toml").write_text("[tool]\nname = 1\n")
    (home / "other.json").write_text("{}")


@pytest.mark.parametrize("line", CASES)
def test_a_usage_error_leaves_with_2_and_says_what_to_do(line: str, hotloop) -> None:
    done = hotloop(*line.split())
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    said = " ".join(done.stderr.replace("│", " ").split())
    assert not [part for part in CASES[line] if part not in said], said
    assert "Traceback" not in said
