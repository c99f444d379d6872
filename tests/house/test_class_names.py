from tools.house.class_names import shared_class_names


def test_public_classes_of_one_name_are_named_and_private_ones_are_not(write):
    text = "class Place: pass\nclass _Row: pass\n"
    checkout = write({"src/tiny/a.py": text, "src/tiny/b.py": text + "class Other: pass\n"})
    assert [str(offender) for offender in shared_class_names(checkout.sources)] == [
        "src/tiny/a.py:1: class Place is defined 2 times",
        "src/tiny/b.py:1: class Place is defined 2 times",
    ]
