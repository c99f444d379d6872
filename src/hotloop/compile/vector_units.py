"""Whether inductor may take the processor's vector instructions for granted.

Each process that compiles for the CPU tests them by building a small library and loading it in another Python with
torch, for each instruction set anew: more CPU time than all that a warm start does beside it.
"""

import subprocess
import sys
from collections.abc import Mapping

GRANTED = "TORCHINDUCTOR_VEC_ISA_OK"
# The list that inductor finds by testing, and the one that it finds where it takes all for granted.
COMPARISON = """
from torch._inductor import config, cpu_vec_isa
tested = list(map(str, cpu_vec_isa.valid_vec_isa_list()))
cpu_vec_isa.valid_vec_isa_list.cache_clear()
config.cpp.vec_isa_ok = True
raise SystemExit(0 if tested == list(map(str, cpu_vec_isa.valid_vec_isa_list())) else 1)
"""


def are_vector_units_usable(
    variables: Mapping[str, str], *, comparison: str = COMPARISON, limit: float = 300.0
) -> bool:
    """Whether tests here find what the processor says of itself; False where they cannot be made within `limit` s.

    `variables` is the environment of the process that tests, in which caches can be named; `comparison` is what it
    runs.
    """
    if GRANTED in variables:
        return False  # the user has decided, and nothing is left to find out
    command = [sys.executable, "-P", "-c", comparison]
    try:
        done = subprocess.run(command, env=dict(variables), capture_output=True, timeout=limit, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
