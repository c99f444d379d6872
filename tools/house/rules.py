"""The rules that hold for the whole source, each as a function from a checkout to what breaks it."""

from collections.abc import Callable, Mapping

from tools.house.births import late_attributes
from tools.house.class_names import shared_class_names
from tools.house.drawing import differences_from_drawing
from tools.house.files import long_files
from tools.house.functions import long_bodies
from tools.house.offender import Offender
from tools.house.old_words import found_old_words
from tools.house.private_names import reached_private_names
from tools.house.rings import rings_of_modules
from tools.house.source import Checkout

RULES: Mapping[str, Callable[[Checkout], list[Offender]]] = {
    "no public class name is used twice": lambda checkout: shared_class_names(checkout.sources),
    "no test reaches for a private name": reached_private_names,
    "every attribute is born in __init__": late_attributes,
    "no file is longer than 400 lines": lambda checkout: long_files(checkout.sources),
    "no body has more than 40 statements": lambda checkout: long_bodies(checkout.sources),
    "no modules import each other in a ring": lambda checkout: [
        offender for ring in rings_of_modules(checkout) for offender in ring.imports
    ],
    "no old word is left": found_old_words,
    "docs/architecture.md draws the folders that there are": differences_from_drawing,
}
