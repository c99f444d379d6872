import os
from pathlib import Path

import pytest

from hotloop.workloads.scratch import Scratch, make_scratch, project_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "train.py").write_text("import net\n")
    (folder / "net.py").write_text("width = 8\n")
    (folder / "data" / "words.txt").write_text("one two\n")
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / ".venv").mkdir()
    return folder


def made(folder: Path, *, may_overwrite: tuple[str, ...] = ()) -> Scratch:
    return make_scratch((folder,), may_overwrite=may_overwrite)


def test_data_is_linked_and_programs_are_copied(project: Path) -> None:
    copy = made(project).copy_of(project)
    assert (copy / "data" / "words.txt").is_symlink()
    assert (copy / "data" / "words.txt").read_text() == "one two\n"
    assert not (copy / "data").is_symlink()
    assert not (copy / "net.py").is_symlink()


def test_trials_of_a_session_run_the_same_code_even_where_the_user_edits_it(project: Path, tmp_path: Path) -> None:
    first, second = (make_scratch((project,), sources=tmp_path / "sources") for _ in range(2))
    (project / "net.py").write_text("width = 16\n")
    third = make_scratch((project,), sources=tmp_path / "sources")
    codes = [scratch.copy_of(project) / "net.py" for scratch in (first, second, third)]
    assert {code.read_text() for code in codes} == {"width = 8\n"}
    assert codes[0].samefile(codes[2])


def test_a_format_that_is_written_from_c_is_copied(project: Path) -> None:
    copy = made(project).copy_of(project)
    (copy / "weights.safetensors").write_bytes(b"others")
    assert (project / "weights.safetensors").read_bytes() == b"weights"


def test_a_file_that_may_be_overwritten_is_copied(project: Path) -> None:
    scratch = made(project, may_overwrite=("data/*.txt",))
    assert not (scratch.copy_of(project) / "data" / "words.txt").is_symlink()
    assert scratch.is_writable(project / "data" / "words.txt")
    assert not scratch.is_writable(project / "net.py")


def test_virtual_environments_are_left_out(project: Path) -> None:
    assert not (made(project).copy_of(project) / ".venv").exists()


def test_a_folder_of_many_files_is_linked_whole(project: Path) -> None:
    (project / "images").mkdir()
    for number in range(2001):
        (project / "images" / f"{number}.png").touch()
    copy = made(project).copy_of(project)
    assert (copy / "images").is_symlink()
    assert (copy / "images" / "2000.png").exists()


def test_a_broken_link_stays_a_broken_link(project: Path) -> None:
    (project / "gone.csv").symlink_to("nowhere.csv")
    assert os.readlink(made(project).copy_of(project) / "gone.csv") == "nowhere.csv"


def test_a_link_to_a_folder_leads_where_it_led(project: Path) -> None:
    (project / "mirror").symlink_to("data")
    assert (made(project).copy_of(project) / "mirror" / "words.txt").read_text() == "one two\n"


def test_a_folder_inside_another_is_copied_once(project: Path) -> None:
    scratch = make_scratch((project / "data", project))
    assert [original for _, original in scratch.roots] == [project]
    assert scratch.copy_of(project / "data").parent == scratch.copy_of(project)


def test_original_of_undoes_copy_of(project: Path) -> None:
    scratch = made(project)
    for path in (project, project / "data" / "words.txt", Path("/elsewhere/file")):
        assert scratch.original_of(scratch.copy_of(path)) == path


def test_the_whole_project_is_mirrored_and_what_lies_above_is_linked(project: Path) -> None:
    (project / "pyproject.toml").touch()
    (project.parent / "beside").mkdir()
    copy = made(project / "data").copy_of(project / "data")
    assert not (copy.parent / "net.py").is_symlink()
    assert (copy.parent.parent / "beside").is_symlink()
    assert (copy.parent.parent / "beside").resolve() == project.parent / "beside"


def test_a_package_is_mirrored_from_the_folder_above_it(project: Path) -> None:
    (project / "data" / "__init__.py").touch()
    assert project_of(project / "data") == project
    assert not (made(project / "data").copy_of(project / "net.py")).is_symlink()


def test_a_home_folder_is_no_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".git").mkdir()
    monkeypatch.setenv("HOME", str(project))
    assert project_of(project / "data") == project / "data"


def test_of_a_large_folder_above_nothing_else_is_there_and_that_is_said(project: Path) -> None:
    for number in range(2001):
        (project / f"{number}.png").touch()
    scratch = made(project / "data")
    assert scratch.not_mirrored == (project,)
    assert [path.name for path in scratch.copy_of(project / "data").parent.iterdir()] == ["data"]


def test_copies_of_other_trials_are_not_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(project.parent))
    first, second = (made(project) for _ in range(2))
    assert not (second.tree / str(first.folder).lstrip("/")).exists()
