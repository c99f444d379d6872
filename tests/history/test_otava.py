import csv

import pytest
import yaml

from hotloop.errors import HistoryError
from hotloop.history.otava import write_otava
from hotloop.history.series import read_series


@pytest.fixture
def series(history, add):
    for day, step in ((1, 0.01), (2, 0.02)):
        add(day, step)
    return read_series(history, history.sessions())


def test_each_series_is_a_test_with_its_file_and_which_way_is_better(series, tmp_path):
    names = write_otava(series, tmp_path / "series" / "otava.yaml")
    tests = yaml.safe_load((tmp_path / "series" / "otava.yaml").read_text())["tests"]
    assert list(tests) == names
    assert [next(iter(test["metrics"])) for test in tests.values()] == ["peak_memory", "step_time", "throughput"]
    assert [metric["direction"] for test in tests.values() for metric in test["metrics"].values()] == [-1, -1, 1]
    with open(tests[names[1]]["file"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["step_time"]) for row in rows] == pytest.approx([0.01, 0.02])
    assert [row["commit"] for row in rows] == ["c1", "c2"]
    assert all(row["time"].endswith("+00:00") for row in rows)


def test_series_of_names_that_look_alike_get_files_of_their_own(history, add, tmp_path):
    for cpu in ("Other 1", "Other-1"):
        add(1, 0.01, cpu=cpu)
    names = write_otava(
        read_series(history, history.sessions(), metric="step_time"), tmp_path / "series" / "otava.yaml"
    )
    assert len(set(names)) == 2
    assert len(list((tmp_path / "series").glob("*.csv"))) == 2


def test_a_folder_that_was_exported_to_is_left_as_it_is(series, tmp_path):
    write_otava(series, tmp_path / "otava.yaml")
    with pytest.raises(HistoryError, match=r"otava\.yaml is there already; name another file"):
        write_otava(series, tmp_path / "otava.yaml")
