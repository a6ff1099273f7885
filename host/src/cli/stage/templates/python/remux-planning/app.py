"""{{name}}: a remux-planning stage for Outboard. Only the contract's calls are here; the rule is in planner.py.

A call that raises `Err` answers with the contract's error; any other exception is a trap.
"""

import settings
import snapshot
from componentize_py_types import Err
from planner import Planner
from wit_world import exports
from wit_world.exports.lifecycle import Description
from wit_world.exports.remux_planning import Facts, RemuxPlan
from wit_world.imports.types import Error_Other

NAME = "{{name}}"

SETTINGS: settings.Properties = {
    "mark_after": {
        "type": "integer",
        "title": "Mark after",
        "description": "Number of consecutive batches without processed audio after which they are marked for the operator.",
        "minimum": 1,
        "maximum": 100,
        "default": 1,
    },
}

# One instance serves one pipeline, so its state can be kept here.
planner: Planner | None = None


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description(NAME, "0.1.0", "{{summary}}", settings.schema(NAME, SETTINGS))

    def open(self, settings_text: str, state: bytes | None) -> None:
        global planner
        given = settings.read(settings_text, SETTINGS)
        planner = Planner(given["mark_after"], None if state is None else snapshot.read(state))

    def snapshot(self) -> bytes:
        return snapshot.write(planner.state if planner else None)


class RemuxPlanning(exports.RemuxPlanning):
    def plan(self, facts: Facts) -> RemuxPlan:
        if planner is None:
            raise Err(Error_Other("not opened"))
        return planner.plan(facts)
