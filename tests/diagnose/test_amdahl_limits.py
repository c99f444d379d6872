"""The Amdahl limits that a diagnosis gives, compared with the measurements that are stored."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_stored_measurement_beats_the_limit_that_was_printed_before_it() -> None:
    script = ROOT / "benchmarks" / "diagnose" / "amdahl_limits.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("holds") == len(done.stdout.splitlines())
