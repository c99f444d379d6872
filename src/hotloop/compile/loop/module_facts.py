"""Which names of a file are optimizers, schedulers and modules, by how they are made and used."""

import ast

from hotloop.compile.loop.names import dotted
from hotloop.compile.loop.statements import is_scheduler

_MODULE_METHODS = frozenset({"parameters", "named_parameters", "train", "eval", "zero_grad", "modules", "state_dict"})
_MODULE_NAMES = frozenset({"model", "net", "network", "agent", "policy", "actor", "critic", "encoder", "decoder"})


class ModuleFacts:
    """What the source of one file tells of its names: which are optimizers, and which are modules."""

    def __init__(self, tree: ast.AST) -> None:
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        self.optimizers: set[str] = set()
        self.schedulers: set[str] = set()
        self.modules: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                made = dotted(node.value.func)
                for path in filter(None, map(dotted, node.targets)):
                    self._assigned(path, made)
        for call in calls:
            owner, _, method = dotted(call.func).rpartition(".")
            if method in _MODULE_METHODS and owner and not self._is_named_optimizer(owner):
                self.modules.add(owner)
        classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        self.modules -= classes

    def _assigned(self, path: str, made: str) -> None:
        if "optim" in made and "lr_scheduler" not in made:
            self.optimizers.add(path)
        if "lr_scheduler" in made or made.endswith("LR") or "Scheduler" in made:
            self.schedulers.add(path)
        if made.startswith(("nn.", "torch.nn.")):
            self.modules.add(path)

    def _is_named_optimizer(self, owner: str) -> bool:
        return owner in self.optimizers or "opt" in owner.rpartition(".")[2].lower()

    def is_step(self, call: ast.Call) -> bool:
        """A step of an optimizer, or of a gradient scaler for one."""
        owner, _, method = dotted(call.func).rpartition(".")
        if method != "step" or owner in self.schedulers or is_scheduler(f"{owner}.step"):
            return False
        if call.args or call.keywords:
            return "scaler" in owner.lower()
        return self._is_named_optimizer(owner)

    def is_module_call(self, call: ast.Call) -> bool:
        """`model(x)`, `self.model(x)`, or `agent.some_method(x)` of a module."""
        path = dotted(call.func)
        owner, _, method = path.rpartition(".")
        if path in self.modules or path.rpartition(".")[2] in _MODULE_NAMES:
            return True
        known = owner in self.modules or (owner.rpartition(".")[2] in _MODULE_NAMES and owner not in self.optimizers)
        return known and method not in _MODULE_METHODS and method != "load_state_dict"
