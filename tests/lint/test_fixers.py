"""Fixes change no number: the patched file parses, the rule is silent on it, and the program computes the same bits."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import pytest
import torch

from hotloop.lint import fixers
from hotloop.lint.catalogue import catalogue
from hotloop.lint.propose import fixable, propose_patches
from hotloop.lint.run import LintOptions, lint_paths

PROGRAM = Path(__file__).parent / "programs" / "fixable.py"
OPTIONS = LintOptions(torchfix=False)


def findings(path, *codes):
    return [found for found in lint_paths([path], OPTIONS).findings if not codes or found.code in codes]


def patch_of(path):
    return propose_patches(findings(path, path.stem[:4].upper()))[0]


def losses(path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, path], env=environment, capture_output=True, text=True, check=True).stdout


def result_of(text):
    names = {}
    exec(text, names)
    return names["result"]()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    path = tmp_path_factory.mktemp("fixed") / "fixable.py"
    path.write_bytes(PROGRAM.read_bytes())
    for patch in propose_patches(findings(path)):
        patch.write()
    return path


FIXED = ("DA02", "DA11", "DA12", "DA15", "OP01", "SY06", "SY10")


def test_the_program_has_a_finding_for_each_fixer():
    assert {entry.code for entry in catalogue() if fixable(entry.code)} == set(FIXED)
    assert {found.code for found in findings(PROGRAM)} >= set(FIXED)


def test_a_fixer_has_the_file_name_and_the_code_of_its_rule():
    names = {entry.name: entry.code for entry in catalogue()}
    modules = [importlib.import_module(f"{fixers.__name__}.{found.name}") for found in iter_modules(fixers.__path__)]
    for module in modules:
        own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
        codes = [value.code for value in own if hasattr(value, "code")]
        assert codes == [names[module.__name__.rpartition(".")[2]]]
    assert len(modules) == len(FIXED)


def test_the_patched_file_parses_and_the_rules_are_silent_on_it(copy):
    assert ast.parse(copy.read_text())
    assert findings(copy, *FIXED) == []


def test_the_patched_program_prints_the_same_losses_to_the_last_bit(copy):
    before = losses(PROGRAM)
    assert before.count("0x") == 17  # 15 losses, the window, and a random number that shows the generator's state
    assert losses(copy) == before


def test_comments_stay_where_they_were(copy):
    before, after = PROGRAM.read_text(), copy.read_text()
    assert after.count("# noqa: X100") == after.count("# noqa: X200") == 1
    assert after.count("#") == before.count("#")


@pytest.mark.parametrize("path", sorted(PROGRAM.parent.glob("exact/*.py")), ids=lambda path: path.stem)
def test_a_fix_computes_the_same(path):
    patch = patch_of(path)
    assert patch.changes
    assert not patch.unfixed
    before, after = result_of(path.read_text()), result_of(patch.after.decode())
    assert before.dtype == after.dtype
    assert torch.equal(before, after)


@pytest.mark.parametrize("path", sorted(PROGRAM.parent.glob("not_exact/*.py")), ids=lambda path: path.stem)
def test_what_is_not_the_same_is_left_with_a_reason(path):
    patch = patch_of(path)
    assert not patch.changes
    assert not patch.fixed
    assert all(unfixed.reason for unfixed in patch.unfixed)


def test_workers_that_stay_draw_other_numbers_so_there_is_no_fixer_for_them():
    def orders(*, persistent_workers):
        torch.manual_seed(0)
        loader = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(torch.arange(64)),
            shuffle=True,
            batch_size=64,
            num_workers=1,
            persistent_workers=persistent_workers,
        )
        return [torch.cat([batch[0] for batch in loader]) for _ in range(2)]

    kept, started = orders(persistent_workers=True), orders(persistent_workers=False)
    assert torch.equal(kept[0], started[0])
    assert not torch.equal(kept[1], started[1])
    assert not fixable("DA07")
