"""What functions and methods of torch, NumPy and pandas return, by their names."""

from hotloop.lint.source_model.expressions import words
from hotloop.lint.source_model.kind import Kind

_NO_TENSOR = words(
    "no_grad enable_grad inference_mode compile device dtype finfo iinfo save load manual_seed seed Generator Size "
    "numel typename result_type promote_types can_cast allclose equal autocast vmap cond export script trace "
    "initial_seed default_generator hub jit multiprocessing"
)
_NO_TENSOR_PREFIXES = ("is_", "are_", "set_", "get_", "use_")
_NUMBER_CALLS = words("float int bool len str round abs range repr id hash ord isinstance hasattr")
_BY_PREFIX = {
    Kind.TENSOR: ("torch.linalg.", "torch.fft.", "torch.special.", "torch.sparse."),
    Kind.OPTIMIZER: ("torch.optim.",),
    Kind.ARRAY: ("numpy.",),
    Kind.FRAME: ("pandas.", "polars."),
    Kind.LOGGER: ("logging.getLogger",),
}
_PLAIN_METHODS = words(
    "item size dim numel nelement element_size stride data_ptr get_device is_contiguous is_floating_point is_complex "
    "storage_offset ndimension type tolist keys is_pinned is_shared untyped_storage __len__"
)
_ONLY_TENSORS_HAVE = words(
    "detach unsqueeze unsqueeze_ requires_grad_ contiguous detach_ masked_fill masked_fill_ new_zeros new_ones "
    "new_tensor new_full expand_as view_as index_select scatter_add_ index_add_"
)
_OF_BATCHES = words(
    "mean sum std var abs max min amax amin argmax norm float half bfloat16 long view reshape flatten permute "
    "transpose square sqrt exp log mul add sub div clamp isnan isfinite eq ne gt lt any all flip clone"
)
_METHODS = {"parameters": Kind.TENSORS, "buffers": Kind.TENSORS, "numpy": Kind.ARRAY, "item": Kind.NUMBER}
_STAY_THEMSELVES = frozenset({Kind.TENSOR, Kind.ARRAY, Kind.FRAME, Kind.OUTPUT})
_MOVED = frozenset({Kind.MODULE, Kind.BATCH, Kind.LOADER})
_MOVES = frozenset({"to", "cuda", "cpu", "eval", "train", "half"})
_COMPUTES = frozenset({"forward", "loss", "training_step", "generate", "predict"})


def function_kind(name: str) -> Kind:
    """What a call of the function or class of this full name returns."""
    head, _, last = name.rpartition(".")
    if head in ("torch", "torch.nn.functional"):
        plain = last in _NO_TENSOR or last.startswith(_NO_TENSOR_PREFIXES)
        return Kind.UNKNOWN if plain else Kind.TENSOR
    if name.startswith("torch.nn.") and last[:1].isupper():
        return Kind.MODULE
    if last.endswith("Optimizer") and head:
        return Kind.OPTIMIZER
    if name in _NUMBER_CALLS:
        return Kind.NUMBER
    by_prefix = next((kind for kind, starts in _BY_PREFIX.items() if name.startswith(starts)), Kind.UNKNOWN)
    return Kind.LOADER if by_prefix is Kind.UNKNOWN and last.endswith("DataLoader") else by_prefix


def method_kind(name: str, of: Kind) -> Kind:
    """What the method of this name of a value of kind `of` returns."""
    if name in _METHODS:
        return _METHODS[name]
    if name in _PLAIN_METHODS:
        return Kind.UNKNOWN if of is Kind.UNKNOWN else Kind.NUMBER
    if of in _STAY_THEMSELVES or (of in _MOVED and name in _MOVES):
        return Kind.TENSORS if of is Kind.TENSOR and name in ("split", "chunk", "unbind") else of
    if name in _ONLY_TENSORS_HAVE or (of is Kind.BATCH and name in _OF_BATCHES):
        return Kind.TENSOR
    return Kind.OUTPUT if of is Kind.MODULE and name in _COMPUTES else Kind.UNKNOWN
