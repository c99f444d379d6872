import io

from rich.console import Console

from hotloop.report.terminal import plain_text, text_table


def test_brackets_are_no_markup_and_control_characters_are_not_obeyed():
    assert plain_text("[bold]x\x1b").plain == "[bold]x\N{REPLACEMENT CHARACTER}"


def test_figures_and_names_stay_whole_in_a_narrow_terminal():
    table = text_table("Name", "Figure", "Reason", figures=["Figure"], whole=["Name"])
    table.add_row("fused optimizer", "1.84x", "a reason that needs more than one line")
    file = io.StringIO()
    Console(file=file, width=40).print(table)
    lines = file.getvalue().splitlines()
    assert lines[2].startswith("fused optimizer   1.84x  a reason that")
    assert max(map(len, lines)) <= 40
