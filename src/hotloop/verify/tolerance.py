"""What a precision may cost: the noise that stands for it, multiples of that noise's effect, and floors."""

from dataclasses import dataclass, replace

_REDUCED = 2.0**-12


def is_reduced(roundoff: float) -> bool:
    """Whether one rounding is that of a reduced precision: bf16 2**-9, TF32 and fp16 2**-11; fp32 has 2**-24."""
    return roundoff > _REDUCED


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What may separate a program under a plan from the baseline, over its first step and over the run.

    `noise` is what the baseline's weights get, relative to them. `scale` is how far the size of the gradients may be
    off in the first step, whatever the noise does. `floor` is that of losses, `gradients` that of the first step's,
    `buffers` and `later` those of how far buffers move and of what later steps do, where rounding has added up.
    """

    noise: float
    step_factor: float
    drift_factor: float
    floor: float
    gradients: float
    scale: float
    update_floor: float
    buffers: float
    later: float

    @staticmethod
    def of(roundoff: float) -> "Tolerance":
        """That of reduced precision, or of fp32."""
        return REDUCED if is_reduced(roundoff) else FP32


# Factors: ten times fp32's own error or three times bf16's, since noise on the weights stands for the rounding inside:
# autocast moved the gradient by 0.6 to 1.5 times what it does on an MLP, a GPT, a conv net and a ResNet (by a third of
# the gradient there: batch-norm makes rounding chaotic).
# The scale of the gradients has a fixed limit: autocast moved it by 0.7 % at most, and gradients times 1.05 under
# autocast by 4.6 to 5.2 %. Updates have a floor of their own: gradients that are zero but for rounding (the bias of
# attention's keys) become Adam steps of any size.
# fp32: noise of 2**-22 gave drifts from 2e-6 to 1.3e-2 over three seeds on a ResNet, 2**-18 gave even ones.
# Floors of reduced precision cover what sound plans did beyond the multiple of the noise, the largest of four draws
# (benchmarks/verify/floors.py; 5 small nets, 3 to 8 initial weights each):
#   gradients  0.04   autocast -6.5e-2 to +3.0e-2; the last on a net of 16 units, where few of them change their sign
#   floor      2**-8  autocast's drift on a net of lazy layers: 3.6e-3 - 3 x 6.6e-4 = 1.6e-3 over the first ten steps,
#                     4.0e-3 - 3 x 7.2e-4 = 1.8e-3 over the last ten, twice which is 2**-8; each step rounds anew, and
#                     noise on the first weights alone can by luck do little
#   buffers    0.05   autocast +2.9e-4, and fp32 with the sums in another order 0: the floors are far above
#   later      0.1    autocast -3.5e-2, fp32 in another order -4e-5; gradients times 1.05 are +5.0e-2 in fp32, above its
#                     floor of 0.02, and below that of bf16, where `scale` refuses them
# The last two are wide because the gates see sketches of 16 numbers for each tensor, whose lengths scatter by a third.
FP32 = Tolerance(
    noise=2.0**-18,
    step_factor=10.0,
    drift_factor=3.0,
    floor=1e-5,
    gradients=1e-5,
    scale=0.01,
    update_floor=2.0**-11,
    buffers=0.01,
    later=0.02,
)
REDUCED = Tolerance(
    noise=2.0**-9,
    step_factor=3.0,
    drift_factor=3.0,
    floor=2.0**-8,
    gradients=0.04,
    scale=0.02,
    update_floor=0.02,
    buffers=0.05,
    later=0.1,
)
# Where the noise is that of random streams, or of a program that repeats nothing: nothing is added to the weights.
OWN_NOISE = replace(REDUCED, noise=0.0, floor=1e-3, gradients=1e-3)


@dataclass(frozen=True, kw_only=True)
class StepTolerance:
    """How far one step may be from fp64: `unit` is one rounding, `noise` what the weights get, `factor` the multiple.

    Source of the rule and its factors: ten workloads, gradient error of autocast 0.7 to 1.6 times that of weight noise
    of one bf16 rounding; a fixed tolerance cannot serve a net whose gradient moves by 0.4 % and one that moves by 37 %.
    """

    unit: float
    noise: float
    factor: float

    @staticmethod
    def of(roundoff: float, *, epsilon: float) -> "StepTolerance":
        """Reduced: twice the error of weights with one rounding of noise; else: ten times eager's own error.

        `epsilon` is that of the weights' dtype: no step can be nearer to fp64 than its half.
        """
        if is_reduced(roundoff):
            return StepTolerance(unit=roundoff, noise=roundoff, factor=2.0)
        return StepTolerance(unit=max(roundoff, epsilon / 2), noise=0.0, factor=10.0)

    @property
    def reason(self) -> str:
        """What the allowed error is a multiple of, in words."""
        noisy = f"that weight noise of {self.noise:.1e} causes" if self.noise else "of eager"
        return f"{self.factor:g} x the error {noisy}"
