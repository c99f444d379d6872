"""What a trial made outside of its scratch copy goes when it ends, unless another that lives needs it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from hotloop.worker.warden import remove_made
from hotloop.workloads.protect import Made, left_behind


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    return tmp_path / "lists"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "last.pt").write_text("a trial's")
    return folder


def listed(lists: Path, trial: str, *paths: Path) -> Made:
    made = Made(lists, trial)
    made.begin()
    for path in paths:
        made.add(str(path))
    return made


def test_a_file_goes_and_what_was_there_before_stays(lists: Path, runs: Path) -> None:
    (runs / "mine.txt").write_text("the user's")
    remove_made(str(listed(lists, "one", runs / "deep" / "last.pt").list))
    assert {path.name for path in runs.rglob("*")} == {"mine.txt", "deep"}
    assert list(lists.iterdir()) == []


def test_a_folder_goes_with_all_that_is_in_it(lists: Path, runs: Path) -> None:
    remove_made(str(listed(lists, "one", runs).list))
    assert not runs.exists()


def test_a_folder_stays_empty_as_long_as_another_lives(lists: Path, runs: Path) -> None:
    one, other = listed(lists, "one", runs), listed(lists, "other")
    remove_made(str(one.list))
    assert (runs / "deep").is_dir()
    assert not (runs / "deep" / "last.pt").exists()
    remove_made(str(other.list))
    assert not runs.exists()


def test_a_file_that_two_have_made_goes_with_the_second(lists: Path, runs: Path) -> None:
    shared = runs / "deep" / "last.pt"
    one, other = listed(lists, "one", runs, shared), listed(lists, "other", shared)
    remove_made(str(one.list))
    assert shared.exists()
    remove_made(str(other.list))
    assert not runs.exists()


def test_a_link_goes_and_not_what_it_leads_to(lists: Path, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(runs)
    remove_made(str(listed(lists, "one", tmp_path / "latest").list))
    assert not (tmp_path / "latest").is_symlink()
    assert (runs / "deep" / "last.pt").exists()


def test_what_cannot_be_removed_is_told(lists: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept = listed(lists, "one", runs / "deep" / "last.pt"), runs / "deep" / "last.pt"

    def refuse(path: str) -> None:
        raise PermissionError(path)

    monkeypatch.setattr("os.remove", refuse)
    remove_made(str(made.list))
    assert left_behind(lists) == [str(kept)]


def test_many_that_end_at_once_leave_nothing(lists: Path, runs: Path) -> None:
    all_of_them = [listed(lists, str(number), runs) for number in range(8)]
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(remove_made, [str(made.list) for made in all_of_them]))
    assert not runs.exists()
    assert list(lists.iterdir()) == []
