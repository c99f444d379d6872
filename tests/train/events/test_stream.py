import dataclasses
import io
import json
import math
from dataclasses import dataclass
from typing import get_type_hints

import pytest

from hotloop import registry
from hotloop.train.events.event import EpochEnded, Event, RunEnded, event_kinds
from hotloop.train.events.sinks import ConsoleSink, JsonLinesSink, ListSink, TrackerSink
from hotloop.train.events.stream import EventStream


def ended(epoch=1, loss=0.5):
    return EpochEnded(
        epoch=epoch, loss=loss, accuracy=0.75, validation_loss=0.6, validation_accuracy=0.7, num_parameters=10
    )


def test_every_kind_has_a_type_of_its_own_and_a_typed_payload():
    registry.load("environments", "growth")
    kinds = event_kinds()
    assert {"run_started", "epoch_ended", "slot_stage_changed"} <= set(kinds)
    for name, kind in kinds.items():
        assert (kind.type, issubclass(kind, Event)) == (name, True)
        hints = get_type_hints(kind)
        assert all(hints[field.name] is not object for field in dataclasses.fields(kind))
        assert kind.__dataclass_params__.frozen


def test_two_kinds_of_one_type_are_refused():
    with pytest.raises(TypeError, match="choose another"):

        @dataclass(frozen=True, kw_only=True)
        class Other(Event):
            type = "run_ended"


def test_events_are_numbered_and_marked_by_their_source():
    sink = ListSink()
    stream = EventStream(sink, source={"environment": 2})
    stream.emit(ended())
    stream.emit(RunEnded(epoch=1, validation_accuracy=0.7, num_parameters=10))
    assert [(r["number"], r["type"], r["environment"]) for r in sink.records] == [
        (0, "epoch_ended", 2),
        (1, "run_ended", 2),
    ]


def test_lines_are_json_and_nan_is_null(tmp_path):
    path = tmp_path / "events.jsonl"
    EventStream(JsonLinesSink(path)).emit(ended(loss=math.nan))
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["loss"] is None


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path):
    path = tmp_path / "events.jsonl"
    stream = EventStream(JsonLinesSink(path))
    for epoch in range(3):
        stream.emit(ended(epoch))
    later = JsonLinesSink(path, keep=2)
    for number, epoch in ((0, 7), (1, 8), (2, 9)):  # the first two are there
        later.write({"number": number, "epoch": epoch})
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [0, 1, 9]


def test_a_console_shows_the_types_it_was_asked_for():
    shown = io.StringIO()
    stream = EventStream(ConsoleSink(shown, types=frozenset({"epoch_ended"})))
    stream.emit(ended())
    stream.emit(RunEnded(epoch=1, validation_accuracy=0.7, num_parameters=10))
    assert shown.getvalue().startswith("epoch 1: epoch ended: loss 0.5, accuracy 0.75")
    assert shown.getvalue().count("\n") == 1


def test_a_tracker_gets_numbers_and_its_first_error_ends_that():
    given = []

    def log(figures, epoch):
        if epoch == 2:
            raise OSError("the network is down")
        given.append((figures["epoch_ended/loss"], epoch))

    stream = EventStream(TrackerSink(log))
    stream.emit(ended(1))
    with pytest.warns(RuntimeWarning, match="the network is down"):
        stream.emit(ended(2))
    stream.emit(ended(3))
    assert given == [(0.5, 1)]
