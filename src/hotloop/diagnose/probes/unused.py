"""Batches that a loader made and nothing used."""

from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader

from hotloop.diagnose.probes.phases import Phases
from hotloop.diagnose.trace_context import Report, Scene, bound
from hotloop.finding import Finding


@dataclass(kw_only=True)
class _Pass:
    """One pass over a loader: batches fetched, and after how many of them something was computed.

    `asked` counts the batches that its workers had been asked for beyond them.
    """

    fetched: int = 0
    looked_at: int = 0
    learned_from: int = 0
    uses: int = 0
    backwards: int = 0
    asked: int = 0
    is_over: bool = False

    @property
    def unused(self) -> int:
        """Batches that nothing was learned from; in a pass that learns from none, those that no root was called for."""
        return 0 if self.is_over else max(0, self.fetched - (self.learned_from or self.looked_at))


class Unused:
    """Counts batches that a pass fetched and nothing used before the next pass over the same loader began."""

    def __init__(self, scene: Scene, phases: Phases) -> None:
        self._scene = scene
        self._phases = phases
        self._passes: dict[int, _Pass] = {}
        self._ended: list[_Pass] = []
        scene.fetched.append(self._note)

    def report(self, steps: int) -> Report:
        """A finding where passes that were broken off left batches behind."""
        left = [each.unused for each in self._ended if each.unused]
        dropped = sum(each.asked for each in self._ended if not each.is_over)
        data = {"passes": len(self._ended), "unused": sum(left), "prefetched": dropped}
        if not left or not steps or not self._phases.loaders:
            return Report(data={**data, "unused": 0})
        place = self._phases.loaders[0][0]
        share = self._phases.split.shares.get("data_wait", 0.0) * sum(left) / steps
        finding = Finding(
            code="DA12",
            path=place.path,
            line=place.line,
            per_step=sum(left) / steps,
            share=share,
            amdahl_limit=bound(share),
            cure="take as many batches as are wanted with itertools.islice",
            message=(
                f"{len(left)} of {len(self._ended)} passes fetched a batch that was never used"
                + (f", and dropped {dropped} that workers had been asked for" if dropped else "")
            ),
        )
        return Report(findings=[finding], data=data)

    def _note(self, source: Any, is_over: bool) -> None:
        if isinstance(source, DataLoader):
            ended = self._passes.pop(id(source), None)
            if ended is not None:
                self._count_use(ended)
                self._ended.append(ended)
            self._passes[id(source)] = _Pass(uses=self._scene.uses, backwards=self._scene.backwards)
            return
        current = self._pass_of(source)
        if current is None:
            return
        if is_over:
            current.is_over = True
            return
        if current.fetched:
            self._count_use(current)
        current.fetched += 1
        current.asked = getattr(source, "_tasks_outstanding", 0)

    def _pass_of(self, iterator: Any) -> _Pass | None:
        """The pass of the loader that this iterator draws from; they share its data set."""
        for _, loader in self._phases.loaders:
            if loader.dataset is getattr(iterator, "_dataset", None):
                return self._passes.get(id(loader))
        return None

    def _count_use(self, current: _Pass) -> None:
        current.looked_at += self._scene.uses > current.uses
        current.learned_from += self._scene.backwards > current.backwards
        current.uses, current.backwards = self._scene.uses, self._scene.backwards
