"""Values in JSON types."""

import json
import math

from hotloop.train.finite_json import finite_json


def test_what_is_not_finite_becomes_null_wherever_it_stands():
    given = {1: [math.nan, 2.5, (math.inf,)], "a": {"b": -math.inf, "c": "text", "d": True, "e": None}}
    found = finite_json(given)
    assert found == {"1": [None, 2.5, [None]], "a": {"b": None, "c": "text", "d": True, "e": None}}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
