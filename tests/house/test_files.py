from tools.house.files import long_files, num_code_lines


def test_empty_lines_comments_and_docstrings_are_no_code(write):
    checkout = write(
        {
            "src/tiny/a.py": '''
                """A docstring
                of two lines."""

                # a comment
                text = """not a docstring
                of two lines"""  # with a comment


                class Thing:
                    """What it is."""

                    size = (
                        1
                    )
            '''
        }
    )
    assert num_code_lines(checkout.sources[1]) == 6


def test_a_file_over_the_limit_is_named(write):
    checkout = write({"src/tiny/a.py": "x = 1\n" * 3, "src/tiny/b.py": "x = 1\n" * 2})
    assert [str(offender) for offender in long_files(checkout.sources, most=2)] == ["src/tiny/a.py: 3 lines"]
