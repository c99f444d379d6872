import pytest

from hotloop.verdict import Outcome, Verdict, worst


def verdicts(*outcomes):
    return [Verdict(gate="drift", outcome=outcome, message="so it is") for outcome in outcomes]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.PASS, Outcome.PASS], Outcome.PASS),
        ([Outcome.PASS, Outcome.INCONCLUSIVE], Outcome.INCONCLUSIVE),
        ([Outcome.INCONCLUSIVE, Outcome.FAIL, Outcome.PASS], Outcome.FAIL),
    ],
)
def test_the_worst_outcome_decides(outcomes, expected):
    assert worst(verdicts(*outcomes)) is expected


def test_no_verdict_at_all_lets_nothing_through():
    assert worst([]) is Outcome.INCONCLUSIVE


def test_exit_codes_leave_two_for_usage_errors():
    assert {outcome.value: outcome.exit_code for outcome in Outcome} == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


def test_only_pass_is_passed():
    assert [verdict.passed for verdict in verdicts(*Outcome)] == [True, False, False]
