import json


def test_transforms_are_listed_with_what_applies_here(hotloop) -> None:
    done = hotloop("list", "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert (listed["schema"], listed["kind"]) == (1, "transforms")
    names = [item["name"] for item in listed["items"]]
    assert names == sorted(names)
    assert {"allocator", "autocast", "compile", "fused_optimizer", "threads"} <= set(names)
    assert all(item["purpose"] and item["stage"] for item in listed["items"])


def test_what_needs_cuda_says_so_on_a_machine_without(hotloop) -> None:
    listed = json.loads(hotloop("list", "--json").stdout)
    (item,) = [item for item in listed["items"] if item["name"] == "cudnn_benchmark"]
    import torch

    assert torch.cuda.is_available() or "does not apply here" in item["here"]


def test_workloads_are_listed_for_people(hotloop) -> None:
    done = hotloop("list", "workloads")
    assert done.returncode == 0, done.stderr
    assert "convnet" in done.stdout.split()


def test_rules_are_listed_with_the_code_that_selects_them(hotloop) -> None:
    lines = hotloop("list", "rules").stdout.splitlines()
    assert "SY01  item_in_loop" in lines
    assert lines == sorted(lines)
