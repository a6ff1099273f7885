"""{{name}}: a batching stage for Outboard. Only the contract's calls are here; the rule is in batcher.py.

A call that raises `Err` answers with the contract's error; any other exception is a trap.
"""

import settings
import snapshot
from batcher import Batcher
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.batching import Cut, Segment
from wit_world.exports.lifecycle import Description
from wit_world.imports.types import Error_Other

NAME = "{{name}}"

SETTINGS: settings.Properties = {
    "batch_seconds": {
        "type": "integer",
        "title": "Batch length",
        "description": "A batch ends with the segment that makes it this long, in seconds of media.",
        "minimum": 2,
        "maximum": 120,
        "default": 30,
    },
}

# One instance serves one pipeline, so its state can be kept here.
batcher: Batcher | None = None


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description(NAME, "0.1.0", "{{summary}}", settings.schema(NAME, SETTINGS))

    def open(self, settings_text: str, state: bytes | None) -> None:
        global batcher
        given = settings.read(settings_text, SETTINGS)
        batcher = Batcher(given["batch_seconds"], None if state is None else snapshot.read(state))

    def snapshot(self) -> bytes:
        return snapshot.write(batcher.state if batcher else None)


class Batching(exports.Batching):
    def push(self, segment: Segment) -> list[Cut]:
        return opened().push(segment)

    def flush(self) -> Cut | None:
        return opened().flush()


def opened() -> Batcher:
    if batcher is None:
        raise Err(Error_Other("not opened"))
    return batcher
