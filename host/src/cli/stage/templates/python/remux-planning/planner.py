"""Decides what goes on air: the processed audio if it fits, otherwise the original."""

from dataclasses import replace
from typing import Any

from wit_world.exports.remux_planning import (
    Absence_NotSent,
    AudioChoice,
    AudioChoice_None_,
    AudioChoice_Original,
    AudioChoice_Processed,
    AudioTrack,
    Coding_Copy,
    Coding_Encode,
    Facts,
    Fit,
    RemuxPlan,
    Reply_Returned,
    ReturnedAudio,
)

# Processed audio is rejected if its length differs from the original's by more than one part in this many.
DIFFERENCE_PART = 10
# Two lengths and the length of a packet are rounded to microseconds each; that alone makes this difference.
ROUNDING_US = 2


class Planner:
    def __init__(self, mark_after: int, state: dict[str, Any] | None) -> None:
        """`state`: the state of another instance; see the attribute."""
        self.mark_after = mark_after
        # The state that another instance needs to continue: consecutive batches that went on air with original audio
        # although audio was sent.
        self.state: dict[str, int] = {"originals_in_a_row": (state or {}).get("originals_in_a_row", 0)}

    def plan(self, facts: Facts) -> RemuxPlan:
        original, reply = facts.audio, facts.reply
        if original is None:
            return _plan(AudioChoice_None_(), "the batch has no audio")
        if isinstance(reply, Reply_Returned):
            if not _fits(original, reply.value):
                return self._original("the processed audio has another length")
            self.state["originals_in_a_row"] = 0
            return _replace(original, reply.value)
        if isinstance(reply.value, Absence_NotSent):
            return _plan(AudioChoice_Original(), "nothing was sent")
        return self._original(f"no processed audio: {reply.value}")

    def _original(self, why: str) -> RemuxPlan:
        self.state["originals_in_a_row"] += 1
        marked = self.state["originals_in_a_row"] >= self.mark_after
        return replace(_plan(AudioChoice_Original(), why), marked=marked)


def _difference(original: AudioTrack, returned: ReturnedAudio) -> int:
    return abs(original.duration_us - returned.duration_us)


def _fits(original: AudioTrack, returned: ReturnedAudio) -> bool:
    return returned.duration_us > 0 and _difference(original, returned) <= original.duration_us // DIFFERENCE_PART


def _replace(original: AudioTrack, returned: ReturnedAudio) -> RemuxPlan:
    """Copies the audio if players will not notice; otherwise encodes it like the original, trimmed or padded to its length."""
    same_format = (returned.sample_rate_hz, returned.channels) == (original.sample_rate_hz, original.channels)
    if returned.copyable and same_format and _difference(original, returned) <= original.packet_us + ROUNDING_US:
        return _plan(AudioChoice_Processed(), "processed audio, as it is")
    plan = _plan(AudioChoice_Processed(), "processed audio, encoded to the original's format and length")
    return replace(plan, coding=Coding_Encode(None), fit=Fit.TRIM_OR_PAD)


def _plan(audio: AudioChoice, note: str) -> RemuxPlan:
    """A plan that does not change the chosen audio."""
    return RemuxPlan(
        audio=audio,
        coding=Coding_Copy(),
        stretch_permille=0,
        fit=Fit.LEAVE,
        offset_us=0,
        note=note,
        marked=False,
    )
