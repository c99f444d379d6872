from hotloop.cli.arguments import parse_choice


def test_names_with_no_before_them_are_left_out():
    assert parse_choice(["compile,autocast", "no-allocator"]) == (("compile", "autocast"), ("allocator",))
    assert parse_choice([]) == ((), ())
