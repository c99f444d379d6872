"""What people read: one self-contained page, tables for the terminal, the table of the README.

Everything here is drawn from a `Result` alone, so a page can be redrawn from stored evidence on any machine.
"""

from hotloop.report.page import render_page, write_page
from hotloop.report.readme import readme_table
from hotloop.report.text import summary, trial_row, trial_table
from hotloop.report.wording import headline, speed

__all__ = [
    "headline",
    "readme_table",
    "render_page",
    "speed",
    "summary",
    "trial_row",
    "trial_table",
    "write_page",
]
