"""What is said where no patch can be proposed."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "programs" / "fixable.py"


def test_without_libcst_the_message_says_what_to_install():
    code = (
        "import sys; sys.modules['libcst'] = None\n"
        "from pathlib import Path\nfrom hotloop.lint.propose import propose_patches\n"
        "from hotloop.lint.run import LintOptions, lint_paths\n"
        f"propose_patches(lint_paths([Path({str(PROGRAM)!r})], LintOptions(torchfix=False)).findings)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'hotloop[lint]'" in done.stderr
