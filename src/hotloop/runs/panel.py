"""One run of `hotloop train` on a panel: from a config to forecasts that are scored on days nobody trained on."""

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from hotloop.data.panel import DayBatches, PanelStore, PanelWindows, days_and_targets, split_days
from hotloop.data.panel.keys import day_as_date
from hotloop.data.panel.real import write_sp500_panel
from hotloop.data.panel.shuffled import write_shuffled_panel
from hotloop.data.panel.synthetic import write_synthetic_panel
from hotloop.errors import ConfigError
from hotloop.models.atft_gat_fan import ATFTGATFAN
from hotloop.runs.chosen_device import chosen_device
from hotloop.runs.folder import RunFolder
from hotloop.runs.in_folder import opened_folder, run_in_folder
from hotloop.runs.launched_ranks import agreed_path, device_of_rank, launched_ranks
from hotloop.runs.panel_config import PanelRunConfig
from hotloop.runs.panel_recorder import PanelRecorder
from hotloop.runs.request import FinishedRun, RunRequest
from hotloop.runs.weights import write_weights
from hotloop.train.epoch_log import Epoch
from hotloop.train.epochs import EpochBatches, EpochsRun, train_epochs
from hotloop.train.losses.panel_loss import PanelLoss
from hotloop.train.microbatches import GroupedBatches
from hotloop.train.panel_batches import PanelBatches
from hotloop.train.panel_evaluation import evaluate_panel, panel_loss
from hotloop.train.panel_metrics import HorizonMetrics
from hotloop.train.panel_state import PanelState
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import stopwatch_for
from hotloop.train.strategies.panel import PanelForecasting
from hotloop.train.weight_average import AveragedBatches, WeightAverage

_HORIZON = re.compile(r"target_(\d+)d")
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def train_panel(given: PanelRunConfig, request: RunRequest) -> FinishedRun:
    """The finished run, with metrics.json and the weights in checkpoints/final.

    Under torchrun every rank trains on its share of each batch, and the first one writes. Raises ConfigError before
    anything is trained, FitFailed where training did not end well.
    """
    wins = {"seed": request.seed, "device": request.device}
    config = given.model_copy(update={name: value for name, value in wins.items() if value is not None})
    device = device_of_rank(chosen_device(config.device))
    base, resumes = request.config.resolve().parent, request.resume is not None
    with launched_ranks(device) as ranks:
        if not ranks.is_first:
            folder = RunFolder(Path(agreed_path("", ranks, device)))
            _PanelRun(config, folder, base, device, ranks).metrics(resumes=resumes)
            return FinishedRun(folder=folder.path, metrics={}, rank=ranks.rank)
        folder = opened_folder(config.model_dump(mode="json"), request, is_out_itself=True)

        def work() -> dict[str, Any]:
            agreed_path(str(folder.path.resolve()), ranks, device)
            return _PanelRun(config, folder, base, device, ranks).metrics(resumes=resumes)

        return run_in_folder(folder, work, device=str(device))


class _PanelRun:
    """The parts of one run, each made from those before it."""

    def __init__(
        self, config: PanelRunConfig, folder: RunFolder, base: Path, device: torch.device, ranks: Ranks
    ) -> None:
        self._config, self._folder, self._device, self._ranks = config, folder, device, ranks
        if ranks.is_first:
            _write_panel(config, folder, base)
        ranks.wait()
        parquet = _parquet(config, folder, base)
        days, targets = days_and_targets(parquet)
        self._horizons = _horizons(targets)
        split = config.split
        self._split = split_days(
            days,
            validation=split.validation,
            test=split.test,
            embargo=split.embargo,
            horizon=max(self._horizons),
        )
        self._store = PanelStore.build(
            parquet,
            _stores(config, folder, base),
            dtype=config.data.dtype,
            fit_until=day_as_date(self._split.train.last),
            verify=False,
        )
        self._store.check_unseen(self._split.validation)
        length = config.windows.length
        spans = (self._split.train, self._split.validation, self._split.test)
        self._train, self._validation, self._test = (self._store.windows(length, span=span) for span in spans)
        torch.manual_seed(config.seed)
        options = replace(config.network, horizons=len(self._horizons))
        self._model = ATFTGATFAN(len(self._store.features), length, options).to(device)
        half = config.training.amp
        self._strategy = PanelForecasting(
            self._criterion(options.levels).to(device), autocast=None if half is None else _DTYPES[half]
        )

    def metrics(self, *, resumes: bool) -> dict[str, Any]:
        """Train, and what is written to metrics.json; nothing on ranks that write nothing."""
        run = self._fit(resumes=resumes)
        if not self._ranks.is_first:
            return {}
        write_weights(self._folder.checkpoints / "final" / "model.safetensors", self._model)
        validation, test = (self._evaluated(windows) for windows in (self._validation, self._test))
        return {
            "strategy": "panel",
            "horizons": list(self._horizons),
            **test,
            "validation": validation,
            "panel": self._described(),
            "train_seconds": run.total_time_s,
            "samples_per_second": self._samples_per_epoch() * run.epochs_here / run.total_time_s,
            "ranks": self._ranks.size,
            "phases": run.phases,
            "best_epoch": run.best_epoch,
            "history_length": len(run.history),
            "history": [asdict(epoch) for epoch in run.history],
        }

    def _fit(self, *, resumes: bool) -> EpochsRun:
        config, device, ranks = self._config, self._device, self._ranks
        stopwatch = stopwatch_for(config.training.phases, device)
        batches: EpochBatches = PanelBatches(
            self._train,
            self._day_batches(),
            device=device,
            num_workers=config.windows.num_workers,
            stopwatch=stopwatch,
        )
        if ranks.size > 1 or config.windows.microbatches > 1:
            batches = GroupedBatches(batches, config.windows.microbatches)
        average = None if config.averaging is None else WeightAverage(self._model, config.averaging)

        def before_epoch(epoch: int) -> None:
            # What dropout draws is of the seed, the rank and the epoch, so that a run goes on as it would have.
            torch.manual_seed((config.seed * ranks.size + ranks.rank) * config.training.epochs + epoch)

        def after_epoch(epoch: Epoch) -> None:
            if ranks.is_first:
                self._folder.log(f"epoch {epoch.number}: loss {epoch.loss:.6g}, validation {epoch.validation}")
            if average is not None:
                average.after_epoch(epoch.number)

        run = train_epochs(
            self._model,
            self._strategy,
            batches if average is None else AveragedBatches(batches, average),
            config.training,
            stopwatch=stopwatch,
            validate=lambda: panel_loss(self._model, self._strategy, self._validation, device=device, ranks=ranks),
            before_epoch=before_epoch,
            after_epoch=after_epoch,
            recorder=PanelRecorder(self._folder, resumes=resumes, every=config.checkpoint_every, ranks=ranks),
            kept=PanelState(self._strategy.criterion, average, ranks=ranks),
            ranks=ranks,
        )
        if average is not None:
            average.put_in()
        return run

    def _day_batches(self) -> DayBatches:
        asked = self._config.windows
        return DayBatches(
            self._train,
            days_per_batch=asked.days_per_batch,
            samples_per_day=asked.samples_per_day,
            seed=self._config.seed,
            rank=self._ranks.rank,
            world_size=self._ranks.size,
        )

    def _criterion(self, levels: tuple[float, ...]) -> PanelLoss:
        given = self._config.horizon_weights
        missing = [horizon for horizon in self._horizons if horizon not in given]
        if missing:
            raise ConfigError(f"horizon_weights lacks {missing}; the panel has {self._horizons}: give one for each")
        return PanelLoss(
            self._config.loss,
            levels=levels,
            horizon_weights=tuple(given[horizon] for horizon in self._horizons),
            scale_H=_deviations(self._store, self._train),
            num_stocks=len(self._store.codes),
        )

    def _evaluated(self, windows: PanelWindows) -> dict[str, Any]:
        found = evaluate_panel(self._model, self._strategy, windows, horizons=self._horizons, device=self._device)
        names = list(HorizonMetrics.__dataclass_fields__)
        return {name: {str(horizon): getattr(figures, name) for horizon, figures in found.items()} for name in names}

    def _described(self) -> dict[str, Any]:
        store, split = self._store, self._split
        return {
            "rows": len(store),
            "codes": len(store.codes),
            "features": len(store.features),
            "store_bytes": store.num_bytes,
            "windows": {"train": len(self._train), "validation": len(self._validation), "test": len(self._test)},
            "days": {"train": str(split.train), "validation": str(split.validation), "test": str(split.test)},
            "codes_too_short": self._train.num_short,
            "missing": dict(zip(store.features, store.scaler.missing, strict=True)),
        }

    def _samples_per_epoch(self) -> int:
        """Those of all ranks."""
        return sum(map(len, self._day_batches())) * self._ranks.size


def _write_panel(config: PanelRunConfig, folder: RunFolder, base: Path) -> None:
    """Write what the run's folder holds of the panel: one that is made or real, one that is shuffled."""
    data, source = config.data, _source(config, folder, base)
    if data.synthetic is not None:
        write_synthetic_panel(source, data.synthetic)
    elif data.sp500:
        write_sp500_panel(source)
    if data.shuffle_targets:
        write_shuffled_panel(source, _parquet(config, folder, base), seed=config.seed)


def _source(config: PanelRunConfig, folder: RunFolder, base: Path) -> Path:
    return folder.path / "panel.parquet" if config.data.parquet is None else base / config.data.parquet


def _parquet(config: PanelRunConfig, folder: RunFolder, base: Path) -> Path:
    """What is trained on."""
    return folder.path / "shuffled.parquet" if config.data.shuffle_targets else _source(config, folder, base)


def _stores(config: PanelRunConfig, folder: RunFolder, base: Path) -> Path:
    return folder.path / "store" if config.data.store is None else base / config.data.store


def _horizons(targets: tuple[str, ...]) -> tuple[int, ...]:
    """Days ahead of each target, from names such as target_5d."""
    found = [_HORIZON.fullmatch(name) for name in targets]
    if not targets or not all(found):
        raise ConfigError(
            f"the panel has the targets {', '.join(targets) or 'none'}; each is named target_<days>d, so that it is "
            "known how many days to purge: rename them"
        )
    return tuple(int(match[1]) for match in found if match)


def _deviations(store: PanelStore, windows: PanelWindows) -> torch.Tensor:
    """The standard deviation of each target over the windows of training, (H,); 1 where it has none."""
    targets_NH = store.arrays.targets_RH[torch.from_numpy(windows.end_W)].double()
    known_NH = targets_NH.isfinite()
    count_H = known_NH.sum(0).clamp(min=1)
    mean_H = targets_NH.nansum(0) / count_H
    variance_H = torch.where(known_NH, targets_NH - mean_H, 0.0).square().sum(0) / count_H
    return torch.where(variance_H > 0.0, variance_H.sqrt(), 1.0).float()
