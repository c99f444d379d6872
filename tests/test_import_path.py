import numpy as np
import pytest

from hotloop.import_path import ImportPathError, import_path, imported, module_from_file
from hotloop.train.rewards.sharpe import Sharpe


def test_what_has_an_import_path_is_found_by_it():
    for thing in (Sharpe, Sharpe.__call__, np.exp, import_path):
        assert imported(import_path(thing)) is thing


def test_what_cannot_be_imported_has_no_import_path():
    def inner():
        pass

    for thing in (inner, lambda: None, Sharpe(), Sharpe().__call__):
        assert import_path(thing) is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere.at:All", "no module 'nowhere' can be imported"),
        ("hotloop.nowhere:All", r"no module 'hotloop\.nowhere' can be imported"),
        ("hotloop.errors:Nothing", "has no 'Nothing'"),
        ("hotloop.errors:HotloopError.nothing", r"has no 'HotloopError\.nothing'"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(path, message):
    with pytest.raises(ImportPathError, match=message):
        imported(path)


def test_a_module_whose_own_import_fails_says_so(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        imported("broken_inside:thing")


def test_a_module_comes_from_a_file(tmp_path):
    (tmp_path / "own.py").write_text("scale = 4\n")
    assert module_from_file(tmp_path / "own.py", "hotloop_test_own").scale == 4
    with pytest.raises(ImportPathError, match="no Python file"):
        module_from_file(tmp_path / "own.txt", "hotloop_test_text")
