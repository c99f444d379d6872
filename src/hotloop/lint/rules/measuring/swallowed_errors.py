"""ME09: errors swallowed in hot code; ruff reports them."""

from hotloop.lint.rule import RuleDoc, Unlinted


class SwallowedErrors:
    code = "ME09"
    doc = RuleDoc(
        title="errors swallowed in hot code",
        why="`except Exception` silently skips a step at out-of-memory errors, shape bugs or NaN guards.",
        cure="Catch the one error that you can handle, and count how often it came.",
        at_runtime="Steps that ran no optimizer, in `hotloop diagnose`.",
    )
    unlinted = Unlinted(
        reason="ruff has it as BLE001 (and S110, S112, E722): `select = ['BLE', 'S110', 'S112', 'E722']`",
        tool="ruff BLE001",
    )
