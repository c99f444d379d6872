from tools.house.functions import functions, long_bodies


def test_a_docstring_is_no_statement_and_nested_ones_count(write):
    checkout = write(
        {
            "src/tiny/a.py": '''
                def outer():
                    """Two lines of
                    docstring."""
                    if True:
                        x = 1
                    def inner():
                        return 2
                    return inner
            '''
        }
    )
    found = {function.node.name: function for function in functions(checkout.sources)}
    assert (found["outer"].num_statements, found["outer"].num_body_lines, found["outer"].num_lines) == (5, 5, 8)
    assert found["inner"].num_statements == 1


def test_a_function_of_a_docstring_alone_has_an_empty_body(write):
    checkout = write({"src/tiny/a.py": 'def f():\n    """Nothing."""\n'})
    (found,) = functions(checkout.sources)
    assert (found.num_statements, found.num_body_lines) == (0, 0)


def test_a_body_of_more_than_forty_statements_is_named(write):
    body = "\n".join("    x = 1" for _ in range(41))
    checkout = write({"src/tiny/a.py": f"def f():\n{body}\n\n\ndef g():\n    x = 1\n"})
    assert [str(offender) for offender in long_bodies(checkout.sources)] == ["src/tiny/a.py:1: f has 41 statements"]
