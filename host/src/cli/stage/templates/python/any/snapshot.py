"""Snapshots: JSON with the name of its writer, so that the state of another stage is rejected instead of misread.

Increase LAYOUT when the state changes in such a way that old snapshots cannot be read any more.
"""

import json
from typing import Any

from componentize_py_types import Err
from wit_world.imports.types import Error_UnreadableState

# The format is that of {{like}}, so that each of the two stages can take over from the other on air.
STAGE = "{{like}}"
LAYOUT = 1


def write(state: Any) -> bytes:
    return json.dumps({"stage": STAGE, "layout": LAYOUT, "state": state}).encode()


def read(data: bytes) -> Any:
    """Raises the contract's `unreadable-state` with a sentence."""
    try:
        found = json.loads(data)
        stage, layout, state = found["stage"], found["layout"], found["state"]
    except (ValueError, TypeError, KeyError) as error:
        raise Err(Error_UnreadableState(f"this is not a snapshot: {error}")) from error
    if (stage, layout) != (STAGE, LAYOUT):
        reason = f"the snapshot is {stage!r}, layout {layout!r}; this stage reads {STAGE!r}, layout {LAYOUT}"
        raise Err(Error_UnreadableState(reason))
    return state
