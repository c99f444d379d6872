"""Side: base or head, a program as one revision or one installation has it."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotloop.errors import RevisionError
from hotloop.workload import Workload

_ASK = """
import importlib.metadata, json, platform
found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
print(json.dumps({"python": platform.python_version(), "packages": found}))
"""
_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An interpreter, its version, and the versions of what is installed for it."""

    path: str = ""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def of(path: str) -> "Installation":
        """The installation of an interpreter. Raises RevisionError where it cannot be run."""
        try:
            done = subprocess.run(
                [path, "-c", _ASK], capture_output=True, check=True, text=True, timeout=_SECONDS, cwd="/"
            )
            answer = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise RevisionError(
                f"cannot run {path!r} as a Python ({error}); give the path of an interpreter"
            ) from error
        return Installation(path=path, python=answer["python"], packages=answer["packages"])

    def differences(self, other: "Installation") -> dict[str, tuple[str, str]]:
        """Packages, and Python itself, whose versions differ: of this one and of the other ("" where it is absent)."""
        ours, theirs = {"Python": self.python, **self.packages}, {"Python": other.python, **other.packages}
        names = sorted(ours.keys() | theirs.keys(), key=str.casefold)
        found = {name: (ours.get(name, ""), theirs.get(name, "")) for name in names}
        return {name: versions for name, versions in found.items() if versions[0] != versions[1]}


@dataclass(frozen=True, kw_only=True)
class Side:
    """Base or head: `revision` is the name that was given, `tree` the folder where its files lie for as long as guard
    runs.

    `is_dirty` says that files differed from `commit`; both are empty outside of git.
    """

    tree: Path
    revision: str = ""
    commit: str = ""
    is_dirty: bool = False
    installation: Installation = field(default_factory=Installation)
    workload: Workload | None = None

    @property
    def title(self) -> str:
        """How people call it."""
        named = f"{self.revision} ({self.commit[:12]})" if self.revision != self.commit else self.commit[:12]
        dirty = ", with changes that are not committed" if self.is_dirty else ""
        python = f"{self.installation.path}" if self.installation.path else ""
        return ", ".join(filter(None, [f"{named}{dirty}" if self.commit else "", python])) or "the working tree"

    def to_data(self) -> dict[str, Any]:
        """JSON data; without the folder, which is gone by then."""
        return {
            "revision": self.revision,
            "commit": self.commit,
            "dirty": self.is_dirty,
            "interpreter": self.installation.path,
            "python": self.installation.python,
            "torch": self.installation.packages.get("torch", ""),
        }
