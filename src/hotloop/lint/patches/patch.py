"""Patch: one file before and after its fixes, as a unified diff or written in place."""

import difflib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from hotloop.errors import SourceError
from hotloop.finding import Finding
from hotloop.whole_file import whole_file

_NO_NEWLINE = "\\ No newline at end of file\n"


@dataclass(frozen=True, kw_only=True)
class Unfixed:
    """A finding that was not fixed, and why, in one sentence."""

    finding: Finding
    reason: str


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The bytes of one file before and after. `fixed` are cured in `after`, `unfixed` are not; together they are
    all findings of the file for whose code there is a fixer."""

    path: str
    before: bytes
    after: bytes
    encoding: str
    fixed: tuple[Finding, ...]
    unfixed: tuple[Unfixed, ...]

    @property
    def changes(self) -> bool:
        """True where the file would become another."""
        return self.before != self.after

    @property
    def text_encoding(self) -> str:
        """The encoding in which a byte order mark is a character of the first line, as it is for patch and git."""
        return self.encoding.removesuffix("-sig")

    def unified(self) -> str:
        """The change as a unified diff that `patch -p1` and `git apply` take; "" where there is none.

        Paths under the working folder are written relative to it. Line ends are the file's own.
        """
        full, here = Path(self.path).absolute(), Path.cwd()
        path = (full.relative_to(here) if full.is_relative_to(here) else full).as_posix().lstrip("/")
        # Only newline ends a line here, as for patch and git: form feeds are text.
        old, new = (list(io.StringIO(data.decode(self.text_encoding))) for data in (self.before, self.after))
        diff = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
        return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in diff)

    def write(self) -> None:
        """Replace the file, keeping its mode and line ends; a link stays a link. The file is never half written.

        Raises SourceError where the file is no longer what was read, or cannot be written.
        """
        if not self.changes:
            return
        target = Path(self.path).resolve()
        try:
            if target.read_bytes() != self.before:
                raise SourceError(f"{self.path} changed since it was read; nothing was written; run the command again")
            with whole_file(target) as temporary:
                temporary.write_bytes(self.after)
                shutil.copymode(target, temporary)
        except OSError as error:
            raise SourceError(f"cannot write {self.path}: {error.strerror}; give files that you may change") from None
