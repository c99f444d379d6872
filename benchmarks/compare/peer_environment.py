"""A virtual environment for a package that is measured beside hotloop, where it is installed with what it wants."""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path


def peer_environment(home: Path, *installs: Sequence[str], borrows_torch: bool = False) -> str:
    """Make `home` anew and install into it; each of `installs` is the words of one `pip install`. Its interpreter.

    With `borrows_torch` it finds torch, and all else that it does not have itself, where this interpreter has them.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    python = home / "bin" / "python"
    for words in installs:
        subprocess.run([str(python), "-m", "pip", "install", "-q", *words], check=True)
    if borrows_torch:
        (folder,) = home.glob("lib/python*/site-packages")
        (folder / "of_hotloop.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return str(python)
