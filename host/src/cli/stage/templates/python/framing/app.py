"""{{name}}: a framing stage for Outboard. Only the contract's calls are here; the dialect is in framer.py.

A call that raises `Err` answers with the contract's error; any other exception is a trap.
"""

import settings
import snapshot
from componentize_py_types import Err
from framer import Framer
from wit_world import exports
from wit_world.exports.framing import Connection, Event, Format, Format_Fmp4, Fragment, Greeting, Message
from wit_world.exports.lifecycle import Description
from wit_world.imports.types import Error_Other

NAME = "{{name}}"

SETTINGS: settings.Properties = {
    "metadata": {
        "type": "object",
        "title": "Extra metadata",
        "description": "Keys that are added to every fragment's metadata, such as languages or a voice.",
        "default": {},
    },
}

# One instance serves one pipeline, so its state can be kept here.
framer: Framer | None = None


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Description:
        return Description(NAME, "0.1.0", "{{summary}}", settings.schema(NAME, SETTINGS))

    def open(self, settings_text: str, state: bytes | None) -> None:
        global framer
        given = settings.read(settings_text, SETTINGS)
        framer = Framer(given["metadata"], None if state is None else snapshot.read(state))

    def snapshot(self) -> bytes:
        return snapshot.write(framer.state if framer else None)


class Framing(exports.Framing):
    def audio_format(self) -> Format:
        return Format_Fmp4()

    def on_connect(self, connection: Connection) -> Greeting:
        # A dialect with a handshake sends it here and answers `ready=False`.
        return Greeting(messages=[], ready=True)

    def encode(self, fragment: Fragment, audio: bytes) -> list[Message]:
        return [opened().encode(fragment, audio)]

    def decode(self, message: Message, now_ms: int) -> list[Event]:
        return opened().decode(message)

    def on_disconnect(self, reason: str) -> None:
        pass


def opened() -> Framer:
    if framer is None:
        raise Err(Error_Other("not opened"))
    return framer
