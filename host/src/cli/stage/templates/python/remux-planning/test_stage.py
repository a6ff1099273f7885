import json
import unittest
from dataclasses import replace

import app
from componentize_py_types import Err
from wit_world.exports.remux_planning import (
    Absence_Late,
    AudioChoice_None_,
    AudioChoice_Original,
    AudioChoice_Processed,
    AudioTrack,
    Coding_Copy,
    Coding_Encode,
    Facts,
    Fit,
    Policy,
    Reply,
    Reply_Absent,
    Reply_Returned,
    ReturnedAudio,
)
from wit_world.imports.types import Error_InvalidSettings, Error_UnreadableState

AUDIO = AudioTrack("aac", 1_400_000, 30_000_000, 1406, 48_000, 2, 21_333)
RETURNED = ReturnedAudio("fmp4", "aac", 30_000_000, 1406, 48_000, 2, True, "{}")
LATE = Reply_Absent(Absence_Late())


def facts(reply: Reply) -> Facts:
    return Facts(0, None, AUDIO, reply, 1000, Policy(250, 0, 0))


class StageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.lifecycle, self.remux = app.Lifecycle(), app.RemuxPlanning()
        self.lifecycle.open('{"mark_after": 2}', None)

    def test_describes_itself(self) -> None:
        described = self.lifecycle.describe()
        self.assertEqual(described.name, "{{name}}")
        self.assertEqual(json.loads(described.settings_schema)["properties"]["mark_after"]["default"], 1)

    def test_processed_audio_is_copied_where_it_fits_and_encoded_where_it_nearly_does(self) -> None:
        plan = self.remux.plan(facts(Reply_Returned(RETURNED)))
        self.assertEqual((plan.audio, plan.coding), (AudioChoice_Processed(), Coding_Copy()))
        for nearly in [replace(RETURNED, duration_us=29_000_000), replace(RETURNED, channels=1)]:
            plan = self.remux.plan(facts(Reply_Returned(nearly)))
            self.assertEqual((plan.audio, plan.coding), (AudioChoice_Processed(), Coding_Encode(None)))
            self.assertEqual(plan.fit, Fit.TRIM_OR_PAD)

    def test_without_usable_audio_the_original_goes_on_air(self) -> None:
        short, empty = replace(RETURNED, duration_us=20_000_000), replace(RETURNED, duration_us=0)
        for reply in [Reply_Returned(short), Reply_Returned(empty), LATE]:
            self.assertEqual(self.remux.plan(facts(reply)).audio, AudioChoice_Original())
        self.assertEqual(self.remux.plan(replace(facts(LATE), audio=None)).audio, AudioChoice_None_())

    def test_the_count_of_originals_goes_on_in_another_instance(self) -> None:
        self.assertFalse(self.remux.plan(facts(LATE)).marked)
        self.lifecycle.open('{"mark_after": 2}', self.lifecycle.snapshot())
        self.assertTrue(self.remux.plan(facts(LATE)).marked)
        self.remux.plan(facts(Reply_Returned(RETURNED)))
        self.assertFalse(self.remux.plan(facts(LATE)).marked)

    def test_what_cannot_be_used_is_refused_with_the_reason(self) -> None:
        for settings, state, wanted in [('{"mark_after": 0}', None, Error_InvalidSettings), ("", b"?", Error_UnreadableState)]:
            with self.assertRaises(Err) as refused:
                self.lifecycle.open(settings, state)
            self.assertIsInstance(refused.exception.value, wanted)


if __name__ == "__main__":
    unittest.main()
