"""What is hot: batch loops, functions that are called for each batch, and not their rare branches."""

import ast

from hotloop.lint.source_model.source_file import parse_source


def facts(text):
    return parse_source("train.py", text)


def marks(file):
    """Calls of `mark("label")` by their label."""
    return {call.args[0].value: call for call in file.calls("mark") if isinstance(call.args[0], ast.Constant)}


def hot_marks(text):
    file = facts(text)
    return {label: file.hot(call).kind if file.hot(call) else None for label, call in marks(file).items()}


def test_only_the_innermost_batch_loop_is_hot():
    assert hot_marks("""
for epoch in range(3):
    mark("before")
    for x in tqdm(enumerate(train_loader)):
        mark("inside")
        for p in params:
            mark("deeper")
    else:
        mark("else")
    mark("after")
mark("outside")
""") == {
        "before": None,
        "inside": "batch loop",
        "deeper": "batch loop",
        "else": None,
        "after": None,
        "outside": None,
    }


def test_a_loop_is_hot_by_its_backward_or_step_whatever_it_iterates():
    assert hot_marks("""
for step in range(1000):
    mark("backward")
    loss.backward()
while True:
    mark("step")
    scaler.step(optimizer)
for epoch in range(3):
    mark("scheduler")
    scheduler.step()
    env.step(action)
for step in range(10):
    for opt in optimizers:
        opt.step()
    mark("optimizers")
""") == {"backward": "batch loop", "step": "batch loop", "scheduler": None, "optimizers": "batch loop"}


def test_functions_called_for_every_batch_are_hot():
    assert hot_marks("""
class Net(Module):
    def forward(self, x):
        mark("forward")
    def helper(self):
        mark("method")
    def training_step(self, batch):
        mark("training_step")
class Data:
    def __getitem__(self, i):
        mark("getitem")
def collate_fn(samples):
    mark("collate")
def one_step(x):
    mark("step")
    loss.backward()
    optimizer.step()
def forward():
    mark("no method")
""") == {
        "forward": "forward",
        "method": None,
        "training_step": "step",
        "getitem": "getitem",
        "collate": "collate",
        "step": "step",
        "no method": None,
    }


def test_rare_branches_are_not_hot_but_accumulation_is():
    assert hot_marks("""
for step, x in enumerate(loader):
    if step % 100 == 0:
        mark("every")
    if (step + 1) % 4 == 0:
        optimizer.step()
        mark("accumulation")
    if bad:
        mark("raises")
        raise ValueError
    if done:
        mark("breaks")
        break
    for p in params:
        if found:
            mark("leaves the inner loop")
            break
    if step % 500 == 0:
        for y in val_loader:
            mark("evaluation")
    try:
        mark("try")
    except ValueError:
        mark("except")
""") == {
        "every": None,
        "accumulation": "batch loop",
        "raises": None,
        "breaks": None,
        "leaves the inner loop": "batch loop",
        "evaluation": "batch loop",
        "try": "batch loop",
        "except": None,
    }


def test_loaders_in_a_dict_or_their_data_sets_are_not_batches():
    assert hot_marks("""
for name, loader in loaders.items():
    mark("loaders")
for sample in loader.dataset:
    mark("dataset")
for i in range(len(loader)):
    mark("length")
for x in DataLoader(data):
    mark("call")
""") == {"loaders": None, "dataset": None, "length": "batch loop", "call": "batch loop"}
