"""ME09: errors swallowed in hot code; ruff reports them."""

from hotloop.lint.rule import RuleDoc, Unlinted


class SwallowedErrors:
    code = "ME09"
    doc = RuleDoc(
        title="errors swallowed in hot code",
        why="`except Exception` around a step turns an out-of-memory error, a shape bug or a NaN guard into a step "
        "that was silently skipped.",
        cure="Catch the one error that you can handle, and count how often it came.",
        at_runtime="Steps that ran no optimizer, in `hotloop diagnose`.",
    )
    unlinted = Unlinted(
        reason="ruff has it as BLE001 (and S110, S112, E722); turn them on with `select = ['BLE', 'S110', 'S112', "
        "'E722']`",
        tool="ruff BLE001",
    )
