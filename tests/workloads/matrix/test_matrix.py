from pathlib import Path

import pytest

from hotloop.errors import MatrixError
from hotloop.workloads.matrix.matrix import load_matrix

MODEL = '[[model]]\nmodel = "nets:mlp"\ninputs = [{ shape = [8] }]\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "bench.toml"
    path.write_text(text)
    return path


def test_every_model_has_every_batch_and_dtype(tmp_path):
    text = f'plans = ["nothing", "a.toml"]\nbatch = [1, 8]\ndtype = ["float32", "bfloat16"]\n{MODEL}'
    matrix = load_matrix(write(tmp_path, text))
    assert matrix.plans == ("nothing", "a.toml")
    assert [row.title for row in matrix.rows()] == [
        "nets:mlp/1/float32",
        "nets:mlp/1/bfloat16",
        "nets:mlp/8/float32",
        "nets:mlp/8/bfloat16",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["model: is missing"]),
        (f"speed = 1\n{MODEL}", ["speed: not a key here", "replicates", "converge"]),
        (f"{MODEL}layers = 3\n", ["model.0.layers: not a key here", "kwargs", "optimizer"]),
        (f"batch = [0]\n{MODEL}", ["batch", "at least 1 sample"]),
        (f"batch = [4, 4]\n{MODEL}", ["batch has the same twice: 4, 4"]),
        (MODEL + MODEL, ["model has the same twice", "its own name"]),
        (f'dtype = ["int8"]\n{MODEL}', ["dtype.0", "'int8'", "bfloat16"]),
        (f"steps = 1\n{MODEL}", ["steps: got 1", "greater than or equal to 3"]),
        ('[[model]]\nmodel = "nets.py"\ninputs = [{ shape = [8] }]\n', ["'nets.py'", "package.module:name"]),
        ('[[model]]\nmodel = "nets:mlp"\ninputs = []\n', ["inputs", "at least 1"]),
        ('[[model]]\nmodel = "nets:mlp"\ninputs = [{ shape = [8], dtype = "int64" }]\n', ["belong together"]),
        ('[[model]]\nmodel = "nets:mlp"\ninputs = [{ shape = [0] }]\n', ["at least 1", "leave the batch out"]),
        ('[[model]]\nmodel = "nets:mlp"\ninputs = [{ shape = [8] }]\nloss = "mse"\n', ["'mse'", "cross_entropy"]),
        ("[[model", ["is no TOML", "correct the file"]),
    ],
)
def test_a_wrong_matrix_says_where_and_what_is_allowed(tmp_path, text, said):
    with pytest.raises(MatrixError) as caught:
        load_matrix(write(tmp_path, text))
    message = str(caught.value)
    assert not [part for part in said if part not in message], message


def test_a_matrix_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MatrixError, match=r"nowhere\.toml: No such file"):
        load_matrix(tmp_path / "nowhere.toml")
