"""What people read: one self-contained page, tables for the terminal, the table of the README.

Everything here is drawn from a `Result` alone, so a page can be redrawn from stored evidence on any machine.
"""

from hotloop.report.live import live_view
from hotloop.report.page import render_page, write_page
from hotloop.report.readme import readme_table
from hotloop.report.short_names import short_change, shortened
from hotloop.report.text import summary
from hotloop.report.verdict_box import WrittenFiles
from hotloop.report.wording import status

__all__ = [
    "WrittenFiles",
    "live_view",
    "readme_table",
    "render_page",
    "short_change",
    "shortened",
    "status",
    "summary",
    "write_page",
]
