"""Rings of imports among modules and among rooms; imports inside functions and for type checkers count."""

import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grimp

from tools.house.offender import Offender
from tools.house.source import Checkout


@dataclass(frozen=True, kw_only=True)
class Ring:
    """Modules (or rooms) each of which imports every other, by itself or through others; and the imports among them."""

    members: tuple[str, ...]
    imports: tuple[Offender, ...]


def rings_of_modules(checkout: Checkout) -> list[Ring]:
    """Rings of files."""
    graph = _graph(checkout)
    return [Ring(members=ring, imports=_imports_among(ring, graph, checkout)) for ring in _rings(graph)]


def rings_of_rooms(checkout: Checkout) -> list[Ring]:
    """Rings of the folders and files that lie at the root of the package."""
    whole, rooms = _graph(checkout), _graph(checkout)
    for room in rooms.find_children(checkout.package):
        rooms.squash_module(room)
    return [Ring(members=ring, imports=_imports_among(ring, whole, checkout)) for ring in _rings(rooms)]


def _graph(checkout: Checkout) -> grimp.ImportGraph:
    with _found_first(checkout.root / "src", checkout.package):
        return grimp.build_graph(checkout.package, exclude_type_checking_imports=False, cache_dir=None)


@contextmanager
def _found_first(folder: Path, package: str) -> Generator[None]:
    """grimp looks packages up as an import would: this one is to be found in `folder`, whatever is loaded already."""
    loaded = sys.modules.pop(package, None)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if loaded is not None:
            sys.modules[package] = loaded


def _rings(graph: grimp.ImportGraph) -> list[tuple[str, ...]]:
    above = {module: graph.find_upstream_modules(module) for module in graph.modules}
    found = {frozenset({m, *(other for other in above[m] if m in above[other])}) for m in above}
    return sorted(tuple(sorted(members)) for members in found if len(members) > 1)


def _imports_among(ring: tuple[str, ...], graph: grimp.ImportGraph, checkout: Checkout) -> tuple[Offender, ...]:
    """The imports by which one member reaches another; what lies inside a room counts for the room."""
    members = {module: _member(module, ring, checkout.package) for module in graph.modules}
    paths = {source.module: source.path for source in checkout.sources}
    found = [
        Offender(path=paths[importer], line=detail["line_number"], what=f"imports {imported}")
        for importer, member in members.items()
        if member
        for imported in graph.find_modules_directly_imported_by(importer)
        if members[imported] not in ("", member)
        for detail in graph.get_import_details(importer=importer, imported=imported)
    ]
    return tuple(sorted(found))


def _member(module: str, ring: tuple[str, ...], package: str) -> str:
    inside = (one for one in ring if module == one or (one != package and module.startswith(f"{one}.")))
    return max(inside, key=len, default="")
