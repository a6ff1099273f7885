import json
import unittest
from typing import Any

import app
from componentize_py_types import Err
from wit_world.exports.framing import (
    Event,
    Event_Acknowledged,
    Event_Failed,
    Event_Processed,
    Failure,
    Fragment,
    Message,
    Processed,
    Reference_Batch,
    Reference_Id,
)
from wit_world.imports.types import Error_InvalidInput, Error_InvalidSettings, Error_UnreadableState

FRAGMENT = Fragment(
    id="cam-7",
    stream_id="cam",
    batch=7,
    pts_us=1_400_000,
    duration_us=30_000_000,
    codec="aac",
    sample_rate_hz=48_000,
    channels=2,
    content_type="audio/mp4",
    file_name="audio.fmp4",
    created_ms=1_700_000_000_000,
    now_ms=1_700_000_000_001,
    attempt=0,
)


class StageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.lifecycle, self.framing = app.Lifecycle(), app.Framing()
        self.lifecycle.open('{"metadata": {"to": "de"}}', None)

    def decode(self, event: str, body: Any) -> list[Event]:
        return self.framing.decode(Message(event, json.dumps([body]), [b"audio"]), 0)

    def test_describes_itself(self) -> None:
        described = self.lifecycle.describe()
        self.assertEqual(described.name, "{{name}}")
        self.assertEqual(json.loads(described.settings_schema)["properties"]["metadata"]["default"], {})

    def test_an_echo_comes_back_as_processed_audio(self) -> None:
        [sent] = self.framing.encode(FRAGMENT, b"audio")
        self.assertEqual((sent.event, sent.attachments), ("fragment:data", [b"audio"]))
        self.assertEqual(json.loads(sent.arguments)[0]["fragment"]["metadata"]["to"], "de")
        heard = self.framing.decode(Message("fragment:processed", sent.arguments, sent.attachments), 0)
        self.assertEqual(heard, [Event_Processed(Processed(Reference_Id("cam-7"), b"audio", "{}"))])

    def test_ids_that_are_not_ours_give_way_to_the_number_also_after_a_hand_over(self) -> None:
        self.framing.encode(FRAGMENT, b"audio")
        self.lifecycle.open("", self.lifecycle.snapshot())
        for name, reference in [("cam-7", Reference_Id("cam-7")), ("theirs", Reference_Batch(7))]:
            heard = self.decode("fragment:ack", {"fragmentId": name, "batchNumber": 7})
            self.assertEqual(heard, [Event_Acknowledged(reference)])

    def test_without_audio_the_fragment_failed(self) -> None:
        heard = self.decode("fragment:processed", {"fragment": {"id": "cam-7"}})
        self.assertEqual(heard, [Event_Failed(Failure(Reference_Id("cam-7"), "the reply holds no audio", False))])
        heard = self.decode("fragment:error", {"error": "busy", "retryable": True})
        self.assertEqual(heard, [Event_Failed(Failure(None, "busy", True))])

    def test_what_is_unknown_means_nothing(self) -> None:
        self.assertEqual(self.decode("weather", {}), [])

    def test_what_cannot_be_used_is_refused_with_the_reason(self) -> None:
        calls = [
            (lambda: self.framing.decode(Message("fragment:ack", "{", []), 0), Error_InvalidInput),
            (lambda: self.lifecycle.open('{"metadata": 1}', None), Error_InvalidSettings),
            (lambda: self.lifecycle.open("", b"?"), Error_UnreadableState),
        ]
        for call, wanted in calls:
            with self.assertRaises(Err) as refused:
                call()
            self.assertIsInstance(refused.exception.value, wanted)


if __name__ == "__main__":
    unittest.main()
