"""Which step is of which phase: a state machine that needs no torch."""

from collections import deque
from collections.abc import Mapping
from typing import Any, SupportsFloat

from hotloop.errors import PhaseError
from hotloop.train.phases.config import PhaseConfig
from hotloop.train.phases.lengths import Lengths
from hotloop.train.phases.phase import TrainingPhase
from hotloop.train.phases.step_info import StepInfo

_WARMUP, _FULL = TrainingPhase.WARMUP, TrainingPhase.FULL
_PREDICT, _CORRECT = TrainingPhase.PREDICT, TrainingPhase.CORRECT


class PhaseScheduler:
    """Gives each step its phase; `begin_step` and `end_step` by turns.

    One step makes at most one transition. PREDICT and CORRECT share one counter, so a CORRECT takes one of the steps
    of PREDICT. In deterministic mode a whole PREDICT without any CORRECT ends with one, and so does a step for which
    `begin_step(correction_due=True)` is called. The same calls give the same phases, whatever the machine.
    """

    def __init__(self, config: PhaseConfig | None = None) -> None:
        self.config = config or PhaseConfig()
        self.counts: dict[TrainingPhase, int] = {}
        self.lengths = Lengths(full=0, predict=0)
        self.phase = _FULL
        self.phase_step = self.total_step = self.cycle = 0
        self._is_open = self._is_repeated = False
        self._suspended_until = 0
        self._last_true_step = -1
        self._losses: deque[SupportsFloat] = deque(maxlen=self.config.adaptation_window)
        self.reset()

    def reset(self) -> None:
        """Everything as in a new scheduler, the lengths of its config included."""
        config = self.config
        self.counts = dict.fromkeys(TrainingPhase, 0)
        self.lengths = Lengths(full=config.full_steps, predict=config.predict_steps)
        self.phase = _FULL if config.mode == "legacy" else _WARMUP
        self.phase_step = self.total_step = self.cycle = 0
        self._is_open = self._is_repeated = False
        self._suspended_until = 0
        self._last_true_step = -1
        self._losses.clear()

    def begin_step(self, *, correction_due: bool = False) -> StepInfo:
        """The phase of the step that begins now. Raises PhaseError where the last step was not ended."""
        if self._is_open:
            raise PhaseError("a step was begun and not ended; call end_step before the next begin_step")
        following = self.phase if self._is_repeated else self._following(correction_due)
        self._is_repeated = False
        is_changed = following is not self.phase
        if is_changed:
            self._enter(following)
        self._is_open = True
        return StepInfo(
            phase=self.phase,
            phase_step=self.phase_step,
            total_step=self.total_step,
            cycle=self.cycle,
            phase_changed=is_changed,
        )

    def end_step(self, loss: SupportsFloat | None = None) -> None:
        """Count the step. `loss` may be left out, and may be a 0-d tensor: it is read at the next entry into FULL only.

        Raises PhaseError where no step was begun.
        """
        if not self._is_open:
            raise PhaseError("no step was begun; call begin_step before end_step")
        self._is_open = False
        if loss is not None:
            self._losses.append(loss)
        if self.phase.needs_backward:
            self._last_true_step = self.total_step
        self.counts[self.phase] += 1
        self.phase_step += 1
        self.total_step += 1

    def abandon_step(self) -> None:
        """Take the open step back: it counts for nothing, and the next `begin_step` begins it again.

        Raises PhaseError where no step was begun.
        """
        if not self._is_open:
            raise PhaseError("no step was begun, so none can be abandoned")
        self._is_open, self._is_repeated = False, True

    def suspend(self, steps: int) -> None:
        """Predict nothing in the `steps` steps after the one that is open or was ended last: they are FULL."""
        if steps < 1:
            raise ValueError(f"steps: got {steps}; at least 1 is allowed")
        self._suspended_until = self.total_step + int(self._is_open) + steps

    @property
    def num_suspended_steps(self) -> int:
        """Steps from the open one on that are surely FULL because of `suspend`; 0 where nothing is suspended."""
        return max(0, self._suspended_until - self.total_step)

    @property
    def is_last_before_predict(self) -> bool:
        """Whether the step after the open one may be the first of a PREDICT phase."""
        is_ready = self.phase is _FULL and self.phase_step + 1 >= self.lengths.full and self.lengths.predict > 0
        return is_ready and self.total_step + 1 >= self._suspended_until

    @property
    def backward_ratio(self) -> float:
        """Steps for each backward pass: what upstream calls its speed-up. It says nothing about time."""
        return self.total_step / max(1, self.total_step - self.counts[_PREDICT])

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, in JSON types. Raises PhaseError inside a step."""
        if self._is_open:
            raise PhaseError("a step is open; call end_step before state_dict")
        return {
            "config": self.config.to_dict(),
            "phase": str(self.phase),
            "phase_step": self.phase_step,
            "total_step": self.total_step,
            "cycle": self.cycle,
            "counts": {str(phase): count for phase, count in self.counts.items()},
            "full_length": self.lengths.full,
            "predict_length": self.lengths.predict,
            "is_repeated": self._is_repeated,
            "suspended_until": self._suspended_until,
            "last_true_step": self._last_true_step,
            "losses": self._recent_losses(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another scheduler was. Raises ValueError where its config was another, or a part is missing."""
        if state.get("config") != self.config.to_dict():
            raise ValueError(
                f"the state is of a scheduler with {state.get('config')}, this one has {self.config.to_dict()}; "
                "build it with PhaseConfig.from_dict(state['config'])"
            )
        missing = sorted(set(self.state_dict()) - set(state))
        if missing:
            raise ValueError(f"the state has no {', '.join(missing)}; give what state_dict returned")
        self.reset()
        self.phase = TrainingPhase(state["phase"])
        self.phase_step, self.total_step, self.cycle = state["phase_step"], state["total_step"], state["cycle"]
        self.counts = {phase: state["counts"][str(phase)] for phase in TrainingPhase}
        self.lengths = Lengths(full=state["full_length"], predict=state["predict_length"])
        self._suspended_until, self._last_true_step = state["suspended_until"], state["last_true_step"]
        self._is_repeated = state["is_repeated"]
        self._losses.extend(state["losses"])

    def _following(self, correction_due: bool) -> TrainingPhase:
        if self.phase is _WARMUP:
            return _FULL if self.phase_step >= self.config.warmup_steps else _WARMUP
        if self.total_step < self._suspended_until:
            return _FULL
        if self.phase is _FULL:
            is_over = self.phase_step >= self.lengths.full and self.lengths.predict > 0
            return _PREDICT if is_over else _FULL
        if self.phase is _CORRECT:
            return _PREDICT if self.phase_step < self.lengths.predict else _FULL
        if self._is_correction_due(correction_due):
            return _CORRECT
        return _FULL if self.phase_step >= self.lengths.predict else _PREDICT

    def _is_correction_due(self, asked: bool) -> bool:
        every = self.config.correct_every
        if every is not None and self.phase_step > 0 and self.phase_step % every == 0:
            return True
        if self.config.mode == "legacy":
            return False
        return asked or self.total_step - self._last_true_step - 1 >= self.lengths.predict

    def _enter(self, phase: TrainingPhase) -> None:
        if phase is _FULL:
            self.phase_step = 0
            self.cycle += self.phase is not _WARMUP
            if self.config.adaptive_phases:
                self.lengths = self.lengths.adapted(
                    self._recent_losses(), threshold=self.config.loss_threshold, mode=self.config.mode
                )
        elif self.phase is _FULL:
            self.phase_step = 0
        self.phase = phase

    def _recent_losses(self) -> list[float]:
        losses = [float(loss) for loss in self._losses]
        self._losses.clear()
        self._losses.extend(losses)
        return losses
