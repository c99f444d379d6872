"""Shogi: many games side by side for a policy that plays both sides, by the rules of rsshogi; extra `[shogi]`."""

from hotloop.workloads.shogi.actions import ActionEncoding, action_encoding
from hotloop.workloads.shogi.ending import EndReason
from hotloop.workloads.shogi.game_record import GameRecord, record_from_usi
from hotloop.workloads.shogi.shogi_error import IllegalAction, ShogiError
from hotloop.workloads.shogi.shogi_infos import ShogiInfos
from hotloop.workloads.shogi.vector_shogi import VectorShogi
from hotloop.workloads.shogi.vector_state import ShogiState

__all__ = [
    "ActionEncoding",
    "EndReason",
    "GameRecord",
    "IllegalAction",
    "ShogiError",
    "ShogiInfos",
    "ShogiState",
    "VectorShogi",
    "action_encoding",
    "record_from_usi",
]
