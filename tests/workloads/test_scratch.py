import os
from pathlib import Path

import pytest

from hotloop.workloads.scratch import Scratch, make_scratch


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


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, *, may_overwrite: tuple[str, ...] = ()) -> Scratch:
    monkeypatch.setattr("tempfile.tempdir", str(folder.parent))
    return make_scratch((folder,), may_overwrite=may_overwrite)


def test_data_is_linked_and_programs_are_copied(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = made(project, monkeypatch).copy_of(project)
    assert (copy / "data" / "words.txt").is_symlink()
    assert (copy / "data" / "words.txt").read_text() == "one two\n"
    assert not (copy / "data").is_symlink()
    assert not (copy / "net.py").is_symlink()


def test_a_format_that_is_written_from_c_is_copied(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = made(project, monkeypatch).copy_of(project)
    (copy / "weights.safetensors").write_bytes(b"others")
    assert (project / "weights.safetensors").read_bytes() == b"weights"


def test_a_file_that_may_be_overwritten_is_copied(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = made(project, monkeypatch, may_overwrite=("data/*.txt",))
    assert not (scratch.copy_of(project) / "data" / "words.txt").is_symlink()
    assert scratch.is_writable(project / "data" / "words.txt")
    assert not scratch.is_writable(project / "net.py")


def test_virtual_environments_are_left_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not (made(project, monkeypatch).copy_of(project) / ".venv").exists()


def test_a_folder_of_many_files_is_linked_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "images").mkdir()
    for number in range(2001):
        (project / "images" / f"{number}.png").touch()
    copy = made(project, monkeypatch).copy_of(project)
    assert (copy / "images").is_symlink()
    assert (copy / "images" / "2000.png").exists()


def test_a_broken_link_stays_a_broken_link(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "gone.csv").symlink_to("nowhere.csv")
    assert os.readlink(made(project, monkeypatch).copy_of(project) / "gone.csv") == "nowhere.csv"


def test_a_link_to_a_folder_leads_where_it_led(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "mirror").symlink_to("data")
    assert (made(project, monkeypatch).copy_of(project) / "mirror" / "words.txt").read_text() == "one two\n"


def test_a_folder_inside_another_is_copied_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(project.parent))
    scratch = make_scratch((project / "data", project))
    assert [original for _, original in scratch.roots] == [project]
    assert scratch.copy_of(project / "data").parent == scratch.copy_of(project)


def test_original_of_undoes_copy_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = made(project, monkeypatch)
    for path in (project, project / "data" / "words.txt", Path("/elsewhere/file")):
        assert scratch.original_of(scratch.copy_of(path)) == path
