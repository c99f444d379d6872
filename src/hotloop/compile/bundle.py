"""Bundle: the compiled code of one workload under one plan on one kind of machine, with a checksum for each file.

What inductor and Triton keep in their cache folders is code that is loaded into the process: a bundle is read only from
a folder of the user's own that nobody else can write, and only where every file is what the manifest says.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hotloop.errors import HotloopError

MANIFEST = "manifest.json"
TREE = "tree"
_SKIPPED = (".lock", ".tmp")


class BundleError(HotloopError):
    """A bundle of compiled code that is not there, damaged, foreign, or made for something else."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleKey(_Document):
    """What compiled code depends on beside the graphs themselves, which inductor tells apart by its own keys."""

    workload: str
    source: str
    plan: str
    torch: str
    compiler: str
    cpu: str
    gpus: tuple[str, ...] = ()
    threads: int = 1

    @property
    def digest(self) -> str:
        """The name of the bundle's folder."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class Manifest(_Document):
    """What a bundle says of itself; `files` maps each path inside its tree to the SHA-256 of its content.

    With `vector_units_checked`, the compiler and this processor were seen to do all vector instructions that inductor
    would use, and the code was made with that known. Without `headers_precompiled` it was made without headers that
    inductor compiles ahead, outside of its cache folder.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    key: BundleKey
    made: str
    num_bytes: int
    files: dict[str, str]
    vector_units_checked: bool = False
    headers_precompiled: bool = True


def save_bundle(
    key: BundleKey, tree: Path, folder: Path, *, vector_units_checked: bool = False, headers_precompiled: bool = True
) -> Manifest:
    """Keep a copy of the cache folders in `tree` as `folder`, whole or not at all, in place of an older one."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=folder.parent) as place:
        kept = Path(place, folder.name)
        kept.mkdir(mode=0o700)
        shutil.copytree(tree, kept / TREE, ignore=_left_out, symlinks=False)
        files = {name: _digest(path) for name, path in _files(kept / TREE)}
        if not files:
            raise BundleError("nothing was compiled, so that there is nothing to keep: does the plan compile anything?")
        size = sum(path.stat().st_size for _, path in _files(kept / TREE))
        manifest = Manifest(
            key=key,
            made=datetime.now(UTC).isoformat(),
            num_bytes=size,
            files=files,
            vector_units_checked=vector_units_checked,
            headers_precompiled=headers_precompiled,
        )
        (kept / MANIFEST).write_text(manifest.model_dump_json(by_alias=True, indent=1), encoding="utf-8")
        if folder.exists():
            folder.replace(Path(place, "before"))
        kept.replace(folder)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """What a bundle says of itself. Raises BundleError where it cannot be read."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise BundleError(f"there is no bundle {folder}: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise BundleError(
            f"the manifest of {folder} is damaged or of another version of hotloop ({where}: {problem['msg']}); remove "
            "it and warm it again"
        ) from error


def check_bundle(folder: Path, key: BundleKey | None = None) -> Manifest:
    """The manifest of a bundle that may be loaded. Raises BundleError, with the first reason, where it may not."""
    manifest = read_manifest(folder)
    if key is not None and manifest.key != key:
        ours, theirs = key.model_dump(), manifest.key.model_dump()
        names = ", ".join(name for name, value in ours.items() if theirs[name] != value)
        raise BundleError(f"{folder} was made for something else: {names} differ")
    for path in (folder, *folder.rglob("*")):
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            raise BundleError(f"{path} is a link; a bundle holds only files of its own")
        if hasattr(os, "getuid") and (state.st_uid != os.getuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise BundleError(
                f"{path} belongs to somebody else, or others can write it; compiled code is not taken from it"
            )
    found = {name: _digest(path) for name, path in _files(folder / TREE)}
    wrong = sorted(name for name in found.keys() | manifest.files.keys() if found.get(name) != manifest.files.get(name))
    if wrong:
        raise BundleError(f"{wrong[0]} in {folder} is not what its checksum says ({len(wrong)} of {len(found)} files)")
    return manifest


def load_bundle(folder: Path, key: BundleKey, into: Path) -> Manifest:
    """Copy the cache folders of a bundle to `into`, which must not exist. Raises BundleError as `check_bundle` does."""
    manifest = check_bundle(folder, key)
    shutil.copytree(folder / TREE, into)
    return manifest


def _files(tree: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(tree).as_posix(), path) for path in tree.rglob("*") if path.is_file())


def _left_out(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(_SKIPPED) or name == "locks"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
