from tools.house.figures import measure, p90


def test_p90_is_a_value_that_occurs():
    assert (p90(range(1, 11)), p90([7]), p90([])) == (9, 7, 0)


def test_every_figure_of_a_tiny_checkout(write):
    checkout = write(
        {
            "src/tiny/a.py": "import tiny.b\nclass Thing:\n    def grow(self):\n        self.size = 1\n",
            "src/tiny/b.py": "import tiny.a\nclass Thing: pass\ndef f():\n    return 1\nf()\n",
            "tests/test_a.py": "from tiny.a import _hidden\n",
        }
    )
    figures = measure(checkout)
    assert (figures.files, figures.source_lines, figures.code_lines) == (3, 9, 9)
    assert (figures.lines_per_file_median, figures.lines_per_file_p90, figures.lines_per_file_max) == (4, 5, 5)
    assert (figures.functions, figures.lines_per_function_median, figures.short_functions_used_once) == (2, 2, 1)
    assert (figures.duplicate_class_names, figures.private_names_reached_from_tests) == (1, 1)
    assert (figures.attributes_born_outside_init, figures.rings_of_modules, figures.rings_of_rooms) == (1, 1, 1)
    assert figures.files_over_400_lines == figures.bodies_over_40_statements == figures.bodies_over_40_lines == 0
