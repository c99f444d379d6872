from hotloop.report.notes import shown_notes

UNTRIED = (
    "not tried for want of time: data_loading(workers=2, prefetch=2, pin_memory=False), threads(num=1); "
    "give a larger --budget than 240 s",
    "other processes were busy",
    "not tried for want of time: threads(num=1), compile(mode=default); give a larger --budget than 240 s",
    "other processes were busy",
    "not tried for want of time: leaving one out; give a larger --budget than 240 s",
)


def test_each_note_is_shown_once_and_want_of_time_last():
    assert shown_notes(UNTRIED) == (
        "other processes were busy",
        "not tried for want of time: loader 2 workers, 1 thread, compile, leaving one out; "
        "give a larger --budget than 240 s",
    )


def test_the_budget_that_would_do_is_kept():
    note = "not tried for want of time: compile; a --budget of 12m would do"
    assert shown_notes((note,)) == (note,)


def test_no_notes_are_none():
    assert shown_notes(()) == ()
