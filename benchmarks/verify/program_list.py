"""Programs on which harmless plans must go through: the cases, the examples and the loops of the survival tests."""

import importlib.util

from benchmarks.verify.fault_list import TrainingProgram

_CASES = {
    "augment.py": 30,
    "checkpointing.py": 12,
    "checkpointing_stochastic_depth.py": 12,
    "complex.py": 12,
    "ctc_inf.py 3": 12,
    "dataclass_out.py": 12,
    "ema.py": 22,
    "gan.py": 12,
    "init_after_call.py": 12,
    "kfold.py": 84,
    "lazy.py": 12,
    "manual_sgd.py": 12,
    "own_entropy.py": 12,
    "raw_tensors.py": 12,
    "resume_layout.py 30 save": 30,
    "save_whole.py": 12,
    "stale_workers.py": 44,
    "usual.py --n 640 --epochs 3": 24,
    "usual.py --n 650 --epochs 2 --sched step": 30,
    "averaged.py": 36,
    "distill.py": 30,
    "loops.py folds": 30,
    "loops.py gan": 24,
    "loops.py iterable": 24,
    "momentum_encoder.py": 12,
    "physics.py": 42,
    "truncated_bptt.py": 12,
    "unfreezing.py": 20,
    "wgan_gp.py": 24,
}
# Plans that are not harmless there, with the reason; the gates must not let them through.
HARMFUL = {
    ("physics.py", "autocast"): "second derivatives in bf16, of which L-BFGS makes another curvature: weights 49 % off"
}
_OWN = {
    "convnet.py": 12,
    "gpt.py": 12,
    "mlp.py": 12,
    "recurrent.py": 12,
    "contrastive.py": 12,
    "tied_gpt.py": 12,
}
_EXAMPLES = ("char_gpt.py", "digits_cnn.py", "resnet_cifar_like.py", "tabular_mlp.py")
_SCRIPTS = {
    "gan.py": "",
    "lbfgs.py": "",
    "short.py": "",
    "accumulation.py": "",
    "grad_scaler.py": "",
    "eval_checkpoint.py": "",
    "loader_workers.py --size 3200": "",
    "beside/train.py": "",
    "exits.py": "",
    "unseeded.py": "",
    "already_compiled.py": "",
    "forks.py": "",
    "prints_much.py": "",
    "dropout_net.py": "",
    "pyg_gat.py": "torch_geometric",
    "hf_trainer.py": "transformers",
    "hf_accelerate.py": "accelerate",
    "hf_gpt2.py": "transformers",
    "lightning_module.py": "lightning",
    "skorch_net.py": "skorch",
}


def _called(folder: str, line: str, steps: int) -> TrainingProgram:
    name, *arguments = line.split()
    return TrainingProgram(path=f"{folder}/{name}", arguments=tuple(arguments), steps=steps)


PROGRAMS = (
    *(_called("cases", line, steps) for line, steps in _CASES.items()),
    *(_called("programs", line, steps) for line, steps in _OWN.items()),
    *(_called("examples", line, 12) for line in _EXAMPLES),
    *(
        _called("scripts", line, 12)
        for line, library in _SCRIPTS.items()
        if not library or importlib.util.find_spec(library)
    ),
)
