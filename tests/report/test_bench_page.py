from dataclasses import asdict, replace

import pytest

from hotloop.report.bench_page import benchmark_page, step_chart
from hotloop.report.bench_table import benchmark_text, row_name

ROW = {
    "model": "nets:mlp",
    "batch": 16,
    "dtype": "float32",
    "plan": "nothing",
    "forward_ms": 1.0,
    "backward_ms": 2.0,
    "step_ms": 4.0,
    "throughput": 4000.0,
    "peak_memory_bytes": 2**28,
    "mean_memory_bytes": 2**27,
    "load_ms": 15.0,
    "compile_s": 0.0,
    "low": 3.9,
    "high": 4.1,
    "convergence": {
        "steps": 100,
        "first_loss": 2.0,
        "last_loss": 1.0,
        "improvement": 10.0,
        "target": 1.5,
        "steps_to_target": 40,
        "seconds_to_target": 0.2,
    },
    "failure": None,
}
FAILED = dict.fromkeys(ROW) | {"model": "nets:<b>", "plan": "fused", "failure": "it raised <ValueError>"}


@pytest.fixture
def document(cpu_machine):
    return {
        "schema": 1,
        "title": "bench.toml",
        "command": "hotloop bench bench.toml",
        "rows": [ROW, ROW | {"batch": 64, "step_ms": 8.0, "high": None, "low": None}, FAILED],
        "slowest": 1,
        "profile": {
            "row": 1,
            "trace": "trace.json",
            "operators": [{"name": "aten::mm", "calls": 3.0, "seconds": 2e-3, "share": 0.25}],
        },
        "method": {"replicates": 3, "steps": 30, "warmup": 3, "clock": "wall time"},
        "notes": ["something to know"],
        "environment": asdict(replace(cpu_machine, argv=("hotloop",))),
    }


def test_bars_end_at_their_steps_and_parts_stay_inside(document):
    chart = step_chart(document)
    short, long = chart.bars
    assert long.end == pytest.approx(2 * short.end, rel=1e-3)
    assert short.forward + short.backward < short.end
    assert short.low < short.end < short.high
    assert (long.low, long.high, long.is_slowest, chart.unit) == (-1.0, -1.0, True, "ms")


def test_parts_that_came_to_more_than_a_step_are_drawn_inside_of_it(document):
    (bar, *_) = step_chart(document | {"rows": [ROW | {"forward_ms": 30.0, "backward_ms": 10.0}]}).bars
    assert bar.forward + bar.backward == pytest.approx(bar.end, rel=1e-3)


def test_no_measured_row_has_no_chart(document):
    assert step_chart(document | {"rows": [FAILED]}) is None


def test_the_page_tells_every_row_and_stands_alone(document):
    page = benchmark_page(document)
    for part in ("2 of 3 rows measured", "4 ms [3.9 ms, 4.1 ms]", "at 1.5 after 40 steps", "aten::mm", "25.0 %"):
        assert part in page, part
    assert "it raised &lt;ValueError&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_terminal_tells_figures_failures_and_files(document):
    from rich.console import Console

    console = Console(width=100, record=True, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: SIM115
    console.print(benchmark_text(document, ["out/bench.html"]))
    console.file.close()
    text = console.export_text()
    for part in (
        "nets:mlp, batch 16, float32, no plan",
        "[3.9 ms, 4.1 ms]",
        "failed",
        "aten::mm",
        "Wrote out/bench.html",
    ):
        assert part in text, part


def test_a_row_of_a_script_has_no_batch_and_no_dtype():
    assert row_name(ROW | {"batch": None, "dtype": None}) == "nets:mlp, no plan"
