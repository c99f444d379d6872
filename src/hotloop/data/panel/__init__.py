"""Panels of stocks: a Parquet table decoded once into a mapped store, read as windows by day. Extra: [panel]."""

try:
    import polars as polars
    import pyarrow as pyarrow
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"panels need polars and pyarrow ({error}); install them: pip install 'hotloop[panel]'", name=error.name
    ) from error

from hotloop.data.panel.batch import PanelBatch, PanelSample
from hotloop.data.panel.columns import PanelColumns
from hotloop.data.panel.day_batches import DayBatches
from hotloop.data.panel.loader import panel_loader
from hotloop.data.panel.sample_cache import SampleCache
from hotloop.data.panel.scaler import PanelScaler
from hotloop.data.panel.splits import DaySpan, TemporalSplit, split_days, walk_forward
from hotloop.data.panel.store import PanelStore, days_and_targets
from hotloop.data.panel.windows import PanelWindows

__all__ = [
    "DayBatches",
    "DaySpan",
    "PanelBatch",
    "PanelColumns",
    "PanelSample",
    "PanelScaler",
    "PanelStore",
    "PanelWindows",
    "SampleCache",
    "TemporalSplit",
    "days_and_targets",
    "panel_loader",
    "split_days",
    "walk_forward",
]
