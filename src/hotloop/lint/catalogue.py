"""The catalogue: every code, with the rule that finds it or the reason why none does."""

from dataclasses import dataclass
from functools import lru_cache

from hotloop import registry
from hotloop.lint.rule import AnyRule, RuleDoc, Unlinted


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One code, with the name of its file and either the rule that finds it or the reason why none does."""

    name: str
    code: str
    doc: RuleDoc
    rule: AnyRule | None
    unlinted: Unlinted | None


@lru_cache
def catalogue() -> tuple[CatalogueEntry, ...]:
    """Every registered code, sorted."""
    entries: list[CatalogueEntry] = []
    for name in registry.names("rules"):
        registered = registry.load("rules", name)
        found = registered() if isinstance(registered, type) else registered
        unlinted: Unlinted | None = getattr(found, "unlinted", None)
        rule = None if unlinted else found
        entries.append(CatalogueEntry(name=name, code=found.code, doc=found.doc, rule=rule, unlinted=unlinted))
    return tuple(sorted(entries, key=lambda entry: entry.code))


def rules() -> tuple[AnyRule, ...]:
    """Every registered rule that reads source, sorted by code."""
    return tuple(entry.rule for entry in catalogue() if entry.rule is not None)
