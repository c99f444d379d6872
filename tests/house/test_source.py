import pytest

from tools.house.source import read_checkout


def test_modules_have_dotted_names_and_packages_those_of_their_folders(write):
    checkout = write({"src/tiny/room/__init__.py": "", "src/tiny/room/thing.py": "", "tests/room/test_thing.py": ""})
    assert [source.module for source in checkout.sources] == ["tiny", "tiny.room", "tiny.room.thing"]
    assert [source.module for source in checkout.tests] == ["tests.room.test_thing"]


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="name the root of a checkout"):
        read_checkout(tmp_path)
