import torch

from hotloop.verify.torch_settings import preserved_settings


def test_settings_of_the_process_come_back():
    before = torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision, torch.rand(1).item()
    torch.manual_seed(3)
    expected = torch.rand(2)[1]
    torch.manual_seed(3)
    torch.rand(1)
    with preserved_settings():
        torch.set_float32_matmul_precision("medium")
        torch.backends.mkldnn.conv.fp32_precision = "bf16"
        torch.rand(5)
    assert (torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision) == before[:2]
    assert torch.rand(1)[0] == expected
