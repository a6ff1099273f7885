import json
import unittest

import app
from componentize_py_types import Err
from wit_world.exports.batching import Cut, Reason, Segment
from wit_world.imports.types import Error_InvalidSettings, Error_UnreadableState

TEN_SECONDS = '{"batch_seconds": 10}'


def segment(index: int, discontinuity: bool = False) -> Segment:
    return Segment(index, index, 4_000_000, 1, discontinuity, None, [])


class StageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.lifecycle, self.batching = app.Lifecycle(), app.Batching()
        self.lifecycle.open(TEN_SECONDS, None)

    def test_describes_itself(self) -> None:
        described = self.lifecycle.describe()
        self.assertEqual(described.name, "{{name}}")
        self.assertEqual(json.loads(described.settings_schema)["properties"]["batch_seconds"]["default"], 30)

    def test_cuts_with_the_segment_that_makes_it_long_enough(self) -> None:
        cuts = [cut for index in range(4) for cut in self.batching.push(segment(index))]
        self.assertEqual(cuts, [Cut(0, 2, Reason.LENGTH)])
        self.assertEqual(self.batching.flush(), Cut(3, 3, Reason.FLUSH))
        self.assertIsNone(self.batching.flush())

    def test_cuts_before_a_discontinuity(self) -> None:
        self.batching.push(segment(0))
        self.assertEqual(self.batching.push(segment(1, discontinuity=True)), [Cut(0, 0, Reason.DISCONTINUITY)])

    def test_forgets_what_the_host_cut_by_itself(self) -> None:
        self.batching.push(segment(0))
        self.batching.push(segment(5))
        self.assertEqual(self.batching.flush(), Cut(5, 5, Reason.FLUSH))

    def test_another_instance_goes_on_from_the_snapshot(self) -> None:
        self.batching.push(segment(0))
        self.batching.push(segment(1))
        self.lifecycle.open(TEN_SECONDS, self.lifecycle.snapshot())
        self.assertEqual(self.batching.push(segment(2)), [Cut(0, 2, Reason.LENGTH)])

    def test_what_cannot_be_used_is_refused_with_the_reason(self) -> None:
        with self.assertRaises(Err) as refused:
            self.lifecycle.open('{"batch_seconds": 1, "x": 2}', None)
        self.assertIsInstance(refused.exception.value, Error_InvalidSettings)
        self.assertEqual([problem.path for problem in refused.exception.value.value], ["batch_seconds", "x"])
        with self.assertRaises(Err) as refused:
            self.lifecycle.open("", b"?")
        self.assertIsInstance(refused.exception.value, Error_UnreadableState)


if __name__ == "__main__":
    unittest.main()
