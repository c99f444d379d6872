"""The figures of a checkout: one number for each thing that the house rules count."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tools.house.births import late_attributes
from tools.house.class_names import shared_class_names
from tools.house.files import long_files, num_code_lines
from tools.house.functions import MOST_STATEMENTS, functions, long_bodies
from tools.house.private_names import reached_private_names
from tools.house.rings import rings_of_modules, rings_of_rooms
from tools.house.source import Checkout
from tools.house.used_once import short_functions_used_once


@dataclass(frozen=True, kw_only=True)
class Figures:
    """In the order in which they are shown."""

    files: int
    source_lines: int
    code_lines: int
    lines_per_file_median: float
    lines_per_file_p90: int
    lines_per_file_max: int
    files_over_400_lines: int
    functions: int
    lines_per_function_median: float
    lines_per_function_p90: int
    bodies_over_40_statements: int
    bodies_over_40_lines: int
    duplicate_class_names: int
    private_names_reached_from_tests: int
    short_functions_used_once: int
    attributes_born_outside_init: int
    rings_of_modules: int
    rings_of_rooms: int


def measure(checkout: Checkout) -> Figures:
    """All figures, of the package alone but for those that name the tests."""
    lengths = [source.num_lines for source in checkout.sources]
    found = list(functions(checkout.sources))
    spans = [function.num_lines for function in found]
    shared = {offender.what for offender in shared_class_names(checkout.sources)}
    return Figures(
        files=len(lengths),
        source_lines=sum(lengths),
        code_lines=sum(map(num_code_lines, checkout.sources)),
        lines_per_file_median=statistics.median(lengths),
        lines_per_file_p90=p90(lengths),
        lines_per_file_max=max(lengths),
        files_over_400_lines=len(long_files(checkout.sources)),
        functions=len(spans),
        lines_per_function_median=statistics.median(spans) if spans else 0,
        lines_per_function_p90=p90(spans),
        bodies_over_40_statements=len(long_bodies(checkout.sources)),
        bodies_over_40_lines=sum(function.num_body_lines > MOST_STATEMENTS for function in found),
        duplicate_class_names=len(shared),
        private_names_reached_from_tests=len(reached_private_names(checkout)),
        short_functions_used_once=len(short_functions_used_once(checkout)),
        attributes_born_outside_init=len(late_attributes(checkout)),
        rings_of_modules=len(rings_of_modules(checkout)),
        rings_of_rooms=len(rings_of_rooms(checkout)),
    )


def p90(values: Sequence[int]) -> int:
    """The least value that at least nine tenths of all do not exceed; 0 of none."""
    return sorted(values)[math.ceil(0.9 * len(values)) - 1] if values else 0
