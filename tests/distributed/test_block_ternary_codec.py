import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.distributed import BlockTernaryCodec


def normal(size, seed=0):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_the_message_is_19_times_smaller_in_measured_bytes() -> None:
    gradient = normal(100_000)
    message = BlockTernaryCodec(100_000).encode(gradient)
    assert gradient.nbytes / message.nbytes > 19


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 700), st.integers(1, 300), st.integers(0, 99))
def test_what_comes_back_are_the_large_numbers_of_each_block(size, block, seed) -> None:
    codec, gradient = BlockTernaryCodec(size, block=block), normal(size, seed)
    decoded = codec.decode(codec.encode(gradient))
    for part, back in zip(gradient.split(block), decoded.split(block), strict=True):
        kept = part.abs() > 0.7 * part.abs().sum() / block  # the last block is filled with zeros
        assert torch.equal(back.sign(), part.sign() * kept)
        torch.testing.assert_close(back.abs()[kept], part.abs()[kept].mean().expand(int(kept.sum())), rtol=5e-3, atol=0)


def test_the_scale_is_the_one_with_the_least_error() -> None:
    codec, gradient = BlockTernaryCodec(256), normal(256)
    decoded = codec.decode(codec.encode(gradient))
    errors = [torch.linalg.vector_norm(gradient - decoded * factor).item() for factor in (0.95, 1.0, 1.05)]
    assert errors[1] < min(errors[0], errors[2])
    assert errors[1] < torch.linalg.vector_norm(gradient)


@pytest.mark.parametrize("exponent", [-30, -10, 10, 30])
def test_defect_11_thresholds_are_relative_so_small_gradients_live(exponent: int) -> None:
    codec, gradient = BlockTernaryCodec(1000), normal(1000)
    torch.testing.assert_close(
        codec.decode(codec.encode(gradient * 2.0**exponent)), codec.decode(codec.encode(gradient)) * 2.0**exponent
    )


def test_zeros_stay_zeros() -> None:
    codec = BlockTernaryCodec(300)
    assert not codec.decode(codec.encode(torch.zeros(300))).any()


def test_error_feedback_loses_nothing_over_time() -> None:
    codec, gradient = BlockTernaryCodec(512), normal(512)
    residual, total = torch.zeros(512), torch.zeros(512)
    for _ in range(200):
        sent = codec.decode(codec.encode(gradient + residual))
        residual = gradient + residual - sent
        total += sent
    assert torch.linalg.vector_norm(total / 200 - gradient) < 0.05 * torch.linalg.vector_norm(gradient)


def test_settings_and_messages_are_checked() -> None:
    with pytest.raises(ValueError, match="block"):
        BlockTernaryCodec(4, block=0)
    with pytest.raises(ValueError, match="threshold"):
        BlockTernaryCodec(4, threshold=-1.0)
    with pytest.raises(ValueError, match="3 bytes are 4 numbers"):
        BlockTernaryCodec(4).decode(torch.zeros(9, dtype=torch.uint8))
