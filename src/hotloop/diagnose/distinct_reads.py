"""Which of the reads that the modes see are reads of their own."""

import linecache
import re

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.read_modes import SeenRead

_TO_HOST_BY_NAME = re.compile(r"""\bto\(\s*(?:device\s*=\s*)?(?:torch\.device\()?\s*['"]cpu['"]""")


class DistinctReads:
    """Tells reads from what only looks at a copy that was read before; to be asked about each read in turn."""

    def __init__(self) -> None:
        self._copied: tuple[SourceLine, int] | None = None

    def counts(self, read: SeenRead) -> bool:
        """Whether this read is one of its own."""
        kind, at, tensor = read.kind, read.site.source, read.call.tensor
        is_on_host = tensor is not None and tensor.device.type == "cpu"
        if kind == "to(cpu)" and is_on_host and not _TO_HOST_BY_NAME.search(linecache.getline(at.path, at.line)):
            return False  # .to(device) on a machine where that is the host: nothing is read anywhere
        if kind in ("numpy", "tolist", "array") and self._copied == (at, id(tensor)):
            return False  # the copy to the host was the read; this one only looks at it
        self._copied = (at, id(tensor)) if kind in ("cpu", "to(cpu)") else None
        return True
