import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hotloop.workloads.protect import LEFT, Made, left_behind

# Each acts on files of the user's: results.txt, data/words.txt and the folder data, in FOLDER and by relative path.
STOPPED = {
    "open('results.txt', 'w')": "write",
    "open('results.txt', 'a')": "write",
    "open('results.txt', 'r+')": "write",
    "open(FOLDER / 'results.txt', 'w')": "write",
    "os.open('data/words.txt', os.O_RDWR)": "write",
    "Path('data/words.txt').write_text('mine')": "write",
    "os.remove('results.txt')": "delete",
    "(FOLDER / 'results.txt').unlink()": "delete",
    "os.rename('results.txt', 'old.txt')": "move",
    "open('new.txt', 'w').close(); os.replace('new.txt', 'results.txt')": "replace",
    "open('new.txt', 'w').close(); os.replace('new.txt', FOLDER / 'results.txt')": "replace",
    "os.truncate('results.txt', 0)": "truncate",
    "torch.save({}, 'results.txt')": "write",
    "torch.save({}, FOLDER / 'results.txt')": "write",
    "torch.serialization.save({}, Path('results.txt'))": "write",
    "__import__('shutil').rmtree('data')": "delete",
    "__import__('shutil').rmtree(FOLDER / 'data')": "delete",
    "__import__('shutil').copy('data/words.txt', 'results.txt')": "write",
    "os.rename('data', 'old')": "move",
    "open('linked/0.txt', 'w')": "write",
    "open(FOLDER / 'free.txt', 'w')": "write",
    "open('net.py', 'w')": "write",
}
ALLOWED = [
    "open('results.txt').read(); open('data/words.txt').read()",
    "open('new.txt', 'w').close(); open('new.txt', 'a').close(); os.remove('new.txt')",
    "torch.save({}, 'new.pt'); torch.save({}, 'new.pt'); os.replace('new.pt', 'last.pt')",
    "os.makedirs('runs/one'); torch.save({}, 'runs/one/a.pt'); os.rename('runs', 'old')",
    "os.makedirs('data', exist_ok=True); open('data/cache.bin', 'wb').close()",
    "os.makedirs('runs/two'); open('runs/two/b', 'w').close(); __import__('shutil').rmtree('runs')",
    "open('free.txt', 'w').write('mine'); os.remove('free.txt')",
    "open('/dev/null', 'w').close()",
    "os.makedirs(FOLDER.parent / 'cache', exist_ok=True); open(FOLDER.parent / 'cache' / 'x', 'w').close()",
    "t = __import__('tempfile').NamedTemporaryFile(); t.write(b'1'); t.close()",
    "t = __import__('tempfile').TemporaryFile(); t.write(b'1'); t.close()",
    "open(FOLDER.parent / 'outside.txt', 'w').close()",
    "open(FOLDER.parent / 'outside.txt', 'a').close()",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "results.txt").write_text("precious")
    (folder / "free.txt").write_text("free, but mine")
    (folder / "net.py").write_text("width = 8\n")
    (folder / "data" / "words.txt").write_text("one two")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "0.txt").write_text("precious too")
    (folder / "linked").symlink_to(elsewhere)
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Digest of each file, by path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def reasons(folder: Path) -> dict[str, str | None]:
    """Why each action was stopped; the user's folder is the same after all of them."""
    before = tree(folder)
    program = Path(__file__).with_name("trespasser.py")
    command = [sys.executable, str(program), str(folder), *STOPPED, *ALLOWED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tree(folder) == before
    return json.loads(done.stdout)


@pytest.mark.parametrize("action", STOPPED)
def test_a_change_to_a_file_of_the_users_is_stopped(action: str, reasons: dict[str, str | None], folder: Path) -> None:
    reason = reasons[action]
    assert reason is not None
    assert f"would {STOPPED[action]} {folder}" in reason
    assert "existed before" in reason


@pytest.mark.parametrize("action", ALLOWED)
def test_what_the_trial_made_itself_is_its_own(action: str, reasons: dict[str, str | None]) -> None:
    assert reasons[action] is None


def test_a_file_that_may_be_overwritten_is_so_by_its_relative_path_only(reasons: dict[str, str | None]) -> None:
    reason = reasons["open(FOLDER / 'free.txt', 'w')"]
    assert reason is not None
    assert "relative path" in reason


def test_the_message_says_how_to_allow_it(reasons: dict[str, str | None]) -> None:
    reason = reasons["open('results.txt', 'w')"]
    assert reason is not None
    assert "--may-overwrite 'results.txt'" in reason


def test_what_could_not_be_removed_is_told_while_it_lasts(tmp_path: Path) -> None:
    left = Made(tmp_path / "made", LEFT)
    for name in ("kept.txt", "gone.txt"):
        left.add(str(tmp_path / name))
    (tmp_path / "kept.txt").write_text("a trial's")
    assert left_behind(tmp_path / "made") == [str(tmp_path / "kept.txt")]


def test_nothing_is_told_where_nothing_was_made(tmp_path: Path) -> None:
    assert left_behind(tmp_path / "made") == []
    assert list(tmp_path.iterdir()) == []


def test_a_trial_sees_what_others_that_live_have_made(tmp_path: Path) -> None:
    one, other = Made(tmp_path, "one"), Made(tmp_path, "other")
    other.add("/runs/last.pt")
    assert one.of_living() == {"/runs/last.pt"}
    other.list.unlink()
    assert one.of_living() == set()
