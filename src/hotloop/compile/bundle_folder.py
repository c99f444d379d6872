"""The user's folder of bundles: listed, thinned out, written to an archive and read from one."""

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import psutil

from hotloop.compile.bundle import BundleError, Manifest, check_bundle, read_manifest
from hotloop.machine.cache_folder import cache_folder
from hotloop.whole_file import whole_file


def bundle_folder() -> Path:
    """Where the user's bundles are kept."""
    return cache_folder("compiled")


def list_bundles(folder: Path) -> list[Manifest]:
    """Manifests of all bundles that can be read, oldest first."""
    found = [one for one in _scan(folder).values() if isinstance(one, Manifest)]
    return sorted(found, key=lambda manifest: manifest.made)


def unreadable_bundles(folder: Path) -> dict[str, str]:
    """Names of what stands in the folder and is no bundle that can be read, each with the reason."""
    return {name: str(one) for name, one in _scan(folder).items() if isinstance(one, BundleError)}


def _scan(folder: Path) -> dict[str, Manifest | BundleError]:
    found: dict[str, Manifest | BundleError] = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if place.name.startswith("."):
            continue
        try:
            found[place.name] = read_manifest(place)
        except BundleError as error:
            found[place.name] = error
    return found


def prune_bundles(folder: Path, *, most_bytes: int) -> list[Manifest]:
    """Remove the oldest bundles until the others take at most `most_bytes`, and what cannot be read; what went."""
    known = list_bundles(folder)
    names = {manifest.key.digest for manifest in known}
    _remove_left_copies(folder)
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.name not in names and not place.name.startswith("."):
            shutil.rmtree(place, ignore_errors=True)
    removed: list[Manifest] = []
    total = sum(manifest.num_bytes for manifest in known)
    for manifest in known:
        if total <= most_bytes:
            break
        shutil.rmtree(folder / manifest.key.digest)
        total -= manifest.num_bytes
        removed.append(manifest)
    return removed


def work_folder(bundle: Path) -> Path:
    """Where this process may copy a bundle to, which it will change; copies of processes that are gone are removed."""
    _remove_left_copies(bundle.parent)
    return bundle.with_name(f".{bundle.name}-{os.getpid()}")


def _remove_left_copies(folder: Path) -> None:
    for place in folder.glob(".*-*") if folder.is_dir() else ():
        process = place.name.rpartition("-")[2]
        if process.isdigit() and (int(process) == os.getpid() or not psutil.pid_exists(int(process))):
            shutil.rmtree(place, ignore_errors=True)


def export_bundle(folder: Path, digest: str, path: Path) -> Manifest:
    """Write one bundle, found whole, to a tar archive. `digest` may be its first letters, if only one has them."""
    found = [place for place in folder.glob(f"{digest}*") if digest and place.is_dir()]
    if len(found) != 1:
        known = ", ".join(manifest.key.digest for manifest in list_bundles(folder)) or "none"
        raise BundleError(f"got bundle {digest!r}, which {len(found)} bundles are named; there are: {known}")
    manifest = check_bundle(found[0])
    with whole_file(path) as temporary, tarfile.open(temporary, "w") as archive:
        archive.add(found[0], arcname=found[0].name, filter=_anonymous)
    return manifest


def import_bundle(folder: Path, path: Path) -> Manifest:
    """Add the bundle in an archive. It is code that will run here: import only what a person you trust exported.

    Raises BundleError for an archive that is no bundle, or whose files are not what its checksums say; nothing is
    added then.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as place, tarfile.open(path) as archive:
            archive.extractall(place, filter="data")
            inner = [child for child in Path(place).iterdir() if child.is_dir()]
            if len(inner) != 1:
                raise BundleError(f"{path} is no bundle: it holds {len(inner)} folders, and must hold one")
            _only_ours(inner[0])
            manifest = check_bundle(inner[0])
            target = folder / manifest.key.digest
            shutil.rmtree(target, ignore_errors=True)
            inner[0].replace(target)
    except (OSError, tarfile.TarError) as error:
        raise BundleError(f"cannot read {path} as a bundle: {error}; give what hotloop cache export wrote") from error
    return manifest


def _only_ours(folder: Path) -> None:
    """An archive may say that others can write its files."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
