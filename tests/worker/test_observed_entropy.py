import json
import subprocess
import sys

PROGRAM = """
import json, os, random, uuid
import numpy
from hotloop.worker.observed_entropy import seed_system_entropy
seed_system_entropy({seed})
draws = [numpy.random.default_rng().random(), random.SystemRandom().random(), str(uuid.uuid4()), os.urandom(4).hex()]
print(json.dumps([*draws, numpy.random.default_rng().random()]))
"""


def draws(seed):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(seed=seed)], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_what_comes_from_the_system_repeats_itself_for_equal_seeds_and_never_in_one_process():
    first = draws(0)
    assert draws(0) == first
    assert draws(1) != first
    assert first[0] != first[-1]
