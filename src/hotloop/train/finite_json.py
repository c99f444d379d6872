"""Values in JSON types, which know no NaN and no infinity."""

import math
from typing import Any


def finite_json(value: Any) -> Any:
    """Mappings with text for keys, tuples as lists; what is not finite becomes None, and all else stays."""
    if isinstance(value, dict):
        return {str(key): finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
