from tools.house.glossary import Allowed, OldWord, word
from tools.house.old_words import found_old_words

RACE = OldWord(
    say="comparison",
    pattern=word("race", "races"),
    allowed=(
        Allowed(pattern="race condition", why="the term"),
        Allowed(pattern='"race"', why="a column", files=("records/*",)),
    ),
)


def found(checkout, *words):
    return [str(offender) for offender in found_old_words(checkout, words)]


def test_lines_and_names_of_files_are_searched(write):
    checkout = write({"src/tiny/room/race.py": "x = 1\nclass Race: pass  # a race of races\n"})
    assert found(checkout, RACE) == [
        "src/tiny/room/race.py: 'race': say comparison",
        "src/tiny/room/race.py:2: 'Race': say comparison",
        "src/tiny/room/race.py:2: 'race': say comparison",
        "src/tiny/room/race.py:2: 'races': say comparison",
    ]


def test_an_allowed_use_is_let_through_and_one_beside_it_is_not(write):
    checkout = write({"src/tiny/a.py": "# a race condition\n# a race condition in the race\n"})
    assert found(checkout, RACE) == ["src/tiny/a.py:2: 'race': say comparison"]


def test_uses_are_allowed_by_file(write):
    checkout = write({"src/tiny/records/a.py": 'x = "race"\n', "src/tiny/other/a.py": 'x = "race"\n'})
    assert found(checkout, RACE) == ["src/tiny/other/a.py:1: 'race': say comparison"]


def test_a_word_may_be_old_in_some_rooms_only(write):
    gate = OldWord(say="start barrier", pattern=word("gate"), files=("worker/*",))
    checkout = write({"src/tiny/worker/a.cpp": "gate();\n", "src/tiny/verify/a.py": "gate = 1\n"})
    assert found(checkout, gate) == ["src/tiny/worker/a.cpp:1: 'gate': say start barrier"]
