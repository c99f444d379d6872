"""DA04: a file opened, scanned or decoded for every sample."""

import ast

from hotloop.lint.rule import Rule, RuleDoc, SourceFile, Violation, Violations
from hotloop.lint.source_model.definitions import decorators, inherited_method, is_dataset
from hotloop.lint.source_model.expressions import argument, dotted, is_literal, last_name, words

_OPENERS = words(
    "open io.open PIL.Image.open h5py.File numpy.load numpy.loadtxt numpy.genfromtxt torch.load torchaudio.load "
    "torchvision.io.read_image cv2.imread imageio.imread imageio.v2.imread imageio.v3.imread skimage.io.imread "
    "soundfile.read librosa.load scipy.io.loadmat nibabel.load rasterio.open zipfile.ZipFile tarfile.open "
    "sqlite3.connect lmdb.open pyarrow.parquet.ParquetFile pyarrow.parquet.read_table"
)
_READERS = ("pandas.read_", "polars.read_", "polars.scan_")
_TABLES = words(
    "read_parquet scan_parquet read_csv scan_csv read_feather read_pickle read_hdf read_json read_excel ParquetFile"
)
_GROUPS = frozenset({"read_row_group", "read_row_groups"})


class FilePerSample(Rule[ast.Call]):
    code = "DA04"
    doc = RuleDoc(
        title="a file opened or decoded for every sample",
        why="Opening, scanning and decoding a file costs thousands of times what taking one row from memory costs; "
        "under shuffling the same file is opened again and again.",
        cure="Decode once into memory (or a memory map), or per file with a cache that holds a shuffled epoch's files.",
        at_runtime="Seconds per sample, split by stage of `__getitem__`, in `hotloop diagnose`.",
        not_reported="A handle that is opened once (`if self.file is None`), a reader under a cache and "
        "`np.load(mmap_mode=)` are not reported. One image per file has to be opened: measure the share first.",
    )
    calls = frozenset(name.rpartition(".")[2] for name in _OPENERS) | _TABLES | _GROUPS

    def check(self, node: ast.Call, file: SourceFile) -> Violations:
        name = file.name_of(node.func)
        last = last_name(node.func)
        if not (name in _OPENERS or name.startswith(_READERS) or last == "ParquetFile" or last in _GROUPS):
            return
        if _serves_samples(node, file) and not _is_rare(node, file) and not _is_lazy(node, name):
            yield Violation(node, f"`{name or last}` is called for every sample")


def _serves_samples(node: ast.Call, file: SourceFile) -> bool:
    """Whether the call is in `__getitem__` of a data set, or in a method that its `__getitem__` calls."""
    scope = file.position(node).scope
    owner, function = scope.owner, scope.function
    if owner is None or function is None or not is_dataset(owner, file):
        return False
    if function.name in ("__getitem__", "__getitems__"):
        return file.hot(node) is not None
    if any("cache" in name for _, name in decorators(function, file)):
        return False
    getitem = inherited_method(owner, "__getitem__", file)
    return getitem is not None and any(
        file.holds(getitem, call) and dotted(call.func) == f"self.{function.name}" and not _is_rare(call, file)
        for call in file.calls(function.name)
    )


def _is_rare(node: ast.Call, file: SourceFile) -> bool:
    """Whether a test for something not there yet guards the call: `is None`, `not in`, `not self.x`, hasattr."""
    tests = [above.test for above in file.ancestors(node) if isinstance(above, (ast.If, ast.IfExp))]
    if any(_is_guard(part) for test in tests for part in file.within(test)):
        return True
    position = file.position(node)
    return position.hot is None and any(branch.kind == "raise" for branch in position.branches)


def _is_guard(part: ast.AST) -> bool:
    if isinstance(part, ast.Compare):
        return isinstance(part.ops[0], (ast.Is, ast.IsNot, ast.In, ast.NotIn))
    if isinstance(part, ast.UnaryOp):
        return isinstance(part.op, ast.Not)
    return isinstance(part, ast.Call) and dotted(part.func) == "hasattr"


def _is_lazy(node: ast.Call, name: str) -> bool:
    if name == "numpy.load":
        return argument(node, "mmap_mode", 1) is not None
    mode = argument(node, "mode", 1)
    writes = isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax")
    return (name in ("open", "io.open") and bool(writes)) or is_literal(argument(node, "mmap"), True)
