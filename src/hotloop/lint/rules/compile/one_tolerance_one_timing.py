"""CO11: a compiled model checked by one tolerance and one timing."""

from hotloop.lint.rule import RuleDoc, Unlinted


class OneToleranceOneTiming:
    code = "CO11"
    doc = RuleDoc(
        title="a compiled model checked by one tolerance and one timing",
        why="`allclose(rtol=1e-5)` raises false alarms in bf16 and passes faults in fp32; a speed-up asserted from one "
        "run passes and fails by the noise of the machine.",
        cure="`hotloop prove`: errors against fp64, limits from eager's own error; interleaved timing, an A/A arm.",
        at_runtime="`hotloop prove` repeats the check and says what it would have missed.",
    )
    unlinted = Unlinted(
        reason="whether a tolerance fits depends on dtype and on eager's own error, which only a run shows; a test "
        "that uses `allclose` may be right",
        tool="hotloop prove",
    )
