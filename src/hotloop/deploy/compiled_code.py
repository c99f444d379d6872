"""Compiled code of a workload under a plan: made ahead by a short run, and found again when training starts."""

import contextlib
import hashlib
import os
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

from hotloop.compile.bundle import BundleError, BundleKey, Manifest, load_bundle, save_bundle
from hotloop.compile.bundle_folder import bundle_folder, work_folder
from hotloop.compile.vector_units import GRANTED, are_vector_units_usable
from hotloop.errors import WorkloadError
from hotloop.machine.environment import record_environment
from hotloop.proof.session_folder import session_folder
from hotloop.transform import Plan, compiles
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.workload import Script, Workload

STEPS = 6
_VARIABLES = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
_COMPILE_THREADS = "TORCHINDUCTOR_COMPILE_THREADS"
# With "1", torch's own default, a process compiles a header of torch before it looks whether what would include it is
# there: seconds, for nothing, wherever the header is not in the folder of temporary files.
_HEADERS = "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS"


def bundle_key(workload: Workload, plan: Plan) -> BundleKey:
    """What the compiled code of this workload under this plan depends on, here and now.

    The arguments of a script are left out, so that the number of epochs makes no other bundle; where they make another
    network, inductor does not find its graphs in the bundle and compiles them.
    """
    environment = record_environment((), workload.folder)
    return BundleKey(
        workload=str(workload.path) if isinstance(workload, Script) else workload.target,
        source=_source(workload),
        plan=plan.title,
        torch=environment.torch,
        compiler=environment.compiler,
        cpu=" ".join((environment.cpu, *environment.cpu_flags)),
        gpus=environment.gpus,
        threads=environment.threads,
    )


def warm(workload: Workload, plan: Plan, *, steps: int = STEPS, limit: float = 1800.0) -> Manifest:
    """Run the program for some steps under the plan and keep what was compiled, in place of an older bundle.

    Raises BundleError where the plan compiles nothing, and as workers do where the program does not run.
    """
    if not any(map(compiles, plan.transforms)):
        raise BundleError(f"the plan {plan.title or '(empty)'!r} compiles nothing, so that there is nothing to warm")
    key = bundle_key(workload, plan)
    with session_folder() as folder:
        settings = Settings(folder=folder, first_step_limit=limit, turn_limit=limit)
        caches = {name: str(settings.cache / place) for name, place in _VARIABLES.items()}
        is_checked = not key.gpus and are_vector_units_usable({**os.environ, **caches})
        # Both are part of the keys of what is compiled.
        granted = {GRANTED: "1"} if is_checked else {}
        headers = {} if _HEADERS in os.environ else {_HEADERS: "0"}
        settings = replace(settings, variables={**granted, **headers})
        with Worker(workload, plan, settings) as worker:
            worker.wait_at_barrier()
            with contextlib.suppress(EndedEarly):  # it has compiled what it needs
                worker.turn(steps, limit=limit)
        tree = folder / "tree"
        tree.mkdir()
        for name in _VARIABLES.values():
            if (settings.cache / name).is_dir():
                (settings.cache / name).rename(tree / name)
        place = bundle_folder() / key.digest
        return save_bundle(key, tree, place, vector_units_checked=is_checked, headers_precompiled=not headers)


def find_compiled(workload: Workload, plan: Plan, variables: MutableMapping[str, str]) -> str:
    """Point the caches of a process that is about to start at a copy of the bundle, if there is one.

    What it says to the user: which bundle is used, why one that is there is not, or nothing. Users who name a cache
    folder of their own keeps it. The copy is removed by the first later call that finds its process gone.
    """
    if not any(map(compiles, plan.transforms)) or any(name in variables for name in _VARIABLES):
        return ""
    if not bundle_folder().is_dir():  # asked first, since the key of a bundle takes a look at the machine
        return ""
    key = bundle_key(workload, plan)
    folder = bundle_folder() / key.digest
    if not folder.is_dir():
        return ""
    try:
        work = work_folder(folder)
        manifest = load_bundle(folder, key, work)
    except (BundleError, OSError) as error:
        return f"the compiled code that was kept is not used, everything is compiled anew: {error}"
    for name, place in _VARIABLES.items():
        variables[name] = str(work / place)
    if manifest.vector_units_checked:
        variables.setdefault(GRANTED, "1")
    if not manifest.headers_precompiled:
        variables.setdefault(_HEADERS, "0")
    if not key.gpus:
        variables.setdefault(_COMPILE_THREADS, "1")  # or a pool of processes is started that has nothing to compile
    return f"compiled code of {manifest.made[:16]} is used ({len(manifest.files)} files)"


def _source(workload: Workload) -> str:
    path = workload.path if isinstance(workload, Script) else Path(workload.target.partition(":")[0])
    try:
        return hashlib.sha256((workload.folder / path).read_bytes()).hexdigest()
    except OSError as error:
        if path.suffix == ".py":
            raise WorkloadError(f"cannot read {workload.folder / path}: {error.strerror}") from error
        return ""
