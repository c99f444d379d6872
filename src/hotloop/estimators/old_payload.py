"""Episodic settings that older versions saved: other names, and fields that did not exist yet."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hotloop.train.episodic import EpisodicOptions


@dataclass(frozen=True, kw_only=True)
class OldConfig:
    """The eight fields of psann's trainer configuration, with the defaults of a payload that lacks them."""

    episode_length: int = 64
    episodes_per_batch: int = 32
    episode_batch_size: int | None = None
    updates_per_epoch: int | None = None
    primary_dim: int = 1
    primary_transform: str = "identity"
    random_state: int | None = None
    transition_penalty: float = 0.0


_OLD_FIELDS = frozenset(field.name for field in fields(OldConfig))
_NEW_FIELDS = frozenset(field.name for field in fields(EpisodicOptions))  # pyright: ignore[reportArgumentType]
# In a mapping of our own, `batch_episodes` stands beside fields that psann never had.
_ONLY_NEW = _NEW_FIELDS - _OLD_FIELDS - {"batch_episodes"}


def old_config(mapping: Mapping[str, Any]) -> OldConfig:
    """The old configuration in a mapping; `batch_episodes` is read as `episodes_per_batch` where that is missing.

    Raises ValueError for a field that is not known.
    """
    given = dict(mapping)
    if "batch_episodes" in given:
        given.setdefault("episodes_per_batch", given["batch_episodes"])
        del given["batch_episodes"]
    unknown = set(given) - _OLD_FIELDS
    if unknown:
        raise ValueError(
            f"got the fields {sorted(unknown)}; allowed are {', '.join(sorted(_OLD_FIELDS))}, batch_episodes: drop them"
        )
    return OldConfig(**given)


def migrated(old: OldConfig, **settings: Any) -> EpisodicOptions:
    """Options that draw the same episodes: `episode_batch_size` (else 1) episodes an update.

    `settings` are those that the old configuration did not hold, such as epochs and lr. The number of outputs and the
    seed are not options: they belong to the network and to the call.
    """
    return EpisodicOptions(
        window=old.episode_length,
        batch_episodes=old.episodes_per_batch,
        episode_batch_size=old.episode_batch_size or 1,
        updates_per_epoch=old.updates_per_epoch,
        primary_transform=old.primary_transform,  # pyright: ignore[reportArgumentType]  # checked by the options
        transition_penalty=old.transition_penalty,
        **settings,
    )


def saved_options(mapping: Mapping[str, Any]) -> EpisodicOptions:
    """The options in a saved mapping, of this package or of psann; fields that are missing have their defaults.

    Raises ValueError for fields that are not known.
    """
    if not mapping or not set(mapping) & _ONLY_NEW:
        return migrated(old_config(mapping))
    unknown = set(mapping) - _NEW_FIELDS
    if unknown:
        raise ValueError(f"got the options {sorted(unknown)}; a newer version wrote them: load with that version")
    return EpisodicOptions(**mapping)
