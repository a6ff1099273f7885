"""The rule for the end of a batch: after the segment that makes it long enough, and before a discontinuity."""

from typing import Any

from wit_world.exports.batching import Cut, Reason, Segment


class Batcher:
    def __init__(self, seconds: int, state: dict[str, Any] | None) -> None:
        """`state`: the state of another instance; see the attribute."""
        self.wanted_us = seconds * 1_000_000
        state = state or {}
        # The state from which another instance can resume.
        self.state: dict[str, Any] = {"last_pushed": state.get("last_pushed"), "open": state.get("open")}

    def push(self, segment: Segment) -> list[Cut]:
        cuts = []
        last = self.state["last_pushed"]
        if last is None or last + 1 != segment.index:
            # The host has cut by itself, or pushes segments again: the open batch is dropped.
            self.state["open"] = None
        self.state["last_pushed"] = segment.index
        if segment.discontinuity:
            # A batch must not span a discontinuity, whatever its length.
            cuts += self._close(Reason.DISCONTINUITY)
        open_batch = self.state["open"] or {"first": segment.index, "duration_us": 0}
        open_batch["last"] = segment.index
        open_batch["duration_us"] += segment.duration_us
        self.state["open"] = open_batch
        if open_batch["duration_us"] >= self.wanted_us:
            cuts += self._close(Reason.LENGTH)
        return cuts

    def flush(self) -> Cut | None:
        """Called when no segment will follow."""
        return next(iter(self._close(Reason.FLUSH)), None)

    def _close(self, reason: Reason) -> list[Cut]:
        """Ends the open batch, if there is one."""
        open_batch, self.state["open"] = self.state["open"], None
        return [Cut(open_batch["first"], open_batch["last"], reason)] if open_batch else []
