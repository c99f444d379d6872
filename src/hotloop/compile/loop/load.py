"""Loads a program with its regions cut out: the script itself, and modules of its own project that hold a loop."""

import builtins
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import decode_source
from pathlib import Path
from types import CodeType, ModuleType

from hotloop.compile.backends import Backend
from hotloop.compile.loop.executed import is_library
from hotloop.compile.loop.interrupts import interrupts
from hotloop.compile.loop.region import Region, Regions
from hotloop.compile.loop.rewrite import rewrite
from hotloop.compile.loop.step_counters import step_counters

_NOT_OURS = ("site-packages", "dist-packages")


class LoopLoader:
    """Rewrites what is loaded from source, installed packages left out; `regions` knows all that was found."""

    def __init__(self, *, backend: Backend = "inductor") -> None:
        self.regions = Regions(say=_say)
        self._backend: Backend = backend

    @contextmanager
    def loading(self) -> Generator[None]:
        """Modules that are imported while inside are rewritten."""
        original = SourceFileLoader.get_code

        def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
            path = Path(loader.get_filename(fullname))
            return (self.code_of(path) if self._is_ours(path) else None) or original(loader, fullname)

        SourceFileLoader.get_code = get_code  # pyright: ignore[reportAttributeAccessIssue]
        try:
            with step_counters.followed():
                yield
        finally:
            SourceFileLoader.get_code = original
            interrupts.release()

    def run_script(self, path: Path) -> None:
        """Run a file as `runpy.run_path(path, run_name="__main__")` does."""
        code = self.code_of(path) or compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        main = ModuleType("__main__")
        vars(main).update(__file__=str(path), __cached__=None, __builtins__=builtins)
        before = sys.modules.get("__main__")
        sys.modules["__main__"] = main
        try:
            exec(code, vars(main))
        finally:
            if before is not None:
                sys.modules["__main__"] = before

    def code_of(self, path: Path) -> CodeType | None:
        """The rewritten code of a file; None where it has no region or cannot be parsed."""
        source = path.read_bytes()
        if b".backward" not in source:
            return None
        try:
            text = decode_source(source)
            code, sources, refusals = rewrite(text, str(path), first=len(self.regions.all))
        except (SyntaxError, UnicodeDecodeError):
            return None  # Python itself says what is wrong with it
        self.regions.refusals += refusals
        for refusal in refusals:
            _say(f"{refusal}; its steps run plainly")
        for made in sources:
            region = Region(made, self.regions, backend=self._backend)
            self.regions.all.append(region)
            setattr(builtins, made.name, region)
        return code

    def _is_ours(self, path: Path) -> bool:
        return not (is_library(str(path)) or any(part in _NOT_OURS for part in path.parts))


def _say(text: str) -> None:
    sys.stderr.write(f"hotloop: captured_loop: {text}\n")
