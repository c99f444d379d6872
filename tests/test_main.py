import subprocess
import sys


def test_the_package_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "hotloop", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "Usage: python -m hotloop" in done.stdout
