from tools.house.used_once import short_functions_used_once


def names(checkout):
    return [offender.what.partition(" ")[0] for offender in short_functions_used_once(checkout)]


def test_a_short_function_that_one_expression_names_is_found(write):
    text = """
        def once():
            return 1

        def twice():
            return 1

        def never():
            return 1

        def long():
            a = 1
            b = 2
            c = 3
            return a + b + c

        value = once() + twice() + twice() + long()
    """
    assert names(write({"src/tiny/a.py": text})) == ["once"]


def test_uses_in_other_modules_count_however_they_are_imported(write):
    text = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    users = {
        "src/tiny/b.py": "from tiny.a import f as other\nother()\n",
        "src/tiny/c.py": "import tiny.a\nfrom tiny import a\ntiny.a.g()\na.g()\n",
    }
    assert names(write({"src/tiny/a.py": text, **users})) == ["f"]


def test_private_methods_count_and_public_or_decorated_ones_do_not(write):
    text = """
        class Thing:
            def _once(self):
                return 1

            @property
            def _size(self):
                return 2

            def public(self):
                return self._once() + self._size
    """
    assert names(write({"src/tiny/a.py": text})) == ["_once"]


def test_exports_are_left_out(write):
    text = "__all__ = ['f']\ndef f():\n    return 1\ndef g():\n    return 1\nf()\ng()\n"
    assert names(write({"src/tiny/a.py": text, "src/tiny/b.py": "from tiny.a import g as g\n"})) == []
