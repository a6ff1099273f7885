#!/usr/bin/env python3
"""Measures many live pipelines of one source on one server; scripts/bench --density calls it.

Starts half of the pipelines, then the other half, and measures over whole batches: processor time, memory, bytes
written to disk, and from the journal of batches how long each step took. It fails if a law was broken: a packet lost, a
gap over one second, or a reply that was not used.
"""

import argparse
import json
import re
import statistics
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path

TICKS_PER_SECOND = 100
STATUS = """
  pipelines { id status {
    phase onAir
    counters { batches processed original packetsIn packetsOnAir packetsLost }
    destinations { maxOwnGapMs }
  } }
"""
BATCHES = """
query($id: ID!) { pipeline(id: $id) { batches(first: 100) { edges { node {
  number outcome originalReason steps { step at }
} } } } }
"""


class Server:
    """The GraphQL API and the numbers of the process."""

    def __init__(self, url, pid):
        self.url, self.pid = url, pid

    def ask(self, query, **variables):
        """One request; its data."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url + "/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if answer.get("errors"):
            sys.exit(f"{query.split('{')[0].strip()}: {answer['errors']}")
        return answer["data"]

    def metric(self, name):
        """The sum of a metric over all labels."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))

    def cpu_seconds(self):
        """User and system time of the process and of its children that have ended or run."""
        return sum(cpu_of(pid) for pid in [self.pid, *descendants(self.pid)])

    def resident_mb(self):
        """Resident memory of the process."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024 / 1e6

    def written(self):
        """Bytes that the process and its children had the system write to a disk."""
        return sum(io_of(pid) for pid in [self.pid, *descendants(self.pid)])


def cpu_of(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def io_of(pid):
    try:
        text = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return 0
    return int(re.search(r"^write_bytes: (\d+)", text, re.M)[1])


def descendants(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def wait(what, limit, true):
    """Until `true` is; asks once a second."""
    until = time.monotonic() + limit
    while not true():
        if time.monotonic() > until:
            sys.exit(f"not within {limit:.0f} s: {what}")
        time.sleep(1)


def start(server, options, numbers):
    create = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }"
    for number in numbers:
        settings = {
            "source": {"url": options.source},
            "processor": {"url": options.processor},
            "destinations": [{"url": f"{options.to}/density-{number}"}],
            "batchSeconds": options.batch_seconds,
            "keep": {"batches": 1},
        }
        server.ask(create, input={"streamId": f"density-{number}", "settings": settings, "start": True})
        time.sleep(options.stagger)


def on_air(server, count):
    pipelines = server.ask("{" + STATUS + "}")["pipelines"]
    return sum(bool(one["status"]["onAir"]) for one in pipelines) == count


def steps(server, ids, since):
    """Milliseconds from the last segment on, of batches that were complete after `since`: per step, all pipelines."""
    took = {}
    outcomes = {}
    for one in ids:
        for edge in server.ask(BATCHES, id=one)["pipeline"]["batches"]["edges"]:
            node = edge["node"]
            at = {step["step"]: datetime.fromisoformat(step["at"].replace("Z", "+00:00")) for step in node["steps"]}
            if "CUT" not in at or at["CUT"].timestamp() < since or "REMUXED" not in at:
                continue
            reason = node["outcome"] if node["outcome"] == "PROCESSED" else f"{node['outcome']} {node['originalReason']}"
            outcomes[reason] = outcomes.get(reason, 0) + 1
            for step, when in at.items():
                took.setdefault(step, []).append((when - at["CUT"]).total_seconds() * 1000)
    return took, outcomes


def row(figure, measured, wanted="-"):
    print(f"{figure:<62} {measured:>16} {wanted:>12}", flush=True)


def percentile(values, part):
    values = sorted(values)
    return values[int((len(values) - 1) * part)] if values else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="address of the server, such as http://127.0.0.1:3000")
    parser.add_argument("--pid", type=int, required=True, help="process of the server")
    parser.add_argument("--source", required=True, help="playlist that all pipelines read")
    parser.add_argument("--processor", required=True)
    parser.add_argument("--to", required=True, help="RTMP application that all pipelines publish to")
    parser.add_argument("--pipelines", type=int, required=True)
    parser.add_argument("--batch-seconds", type=int, required=True)
    parser.add_argument("--batches", type=int, required=True, help="how many batches of each are measured")
    parser.add_argument("--stagger", type=float, default=0.05, help="seconds between two starts")
    options = parser.parse_args()

    server = Server(options.server, options.pid)
    quotas = {"pipelines": options.pipelines + 10, "inFlightFragments": 10 * options.pipelines}
    server.ask(
        "mutation($name: ID!, $quotas: QuotasInput) { updateTenant(id: $name, input: { quotas: $quotas }) { id } }",
        name="default",
        quotas=quotas,
    )
    limit = 120 + 3 * options.batch_seconds
    half = options.pipelines // 2
    resident = []
    for numbers in (range(half), range(half, options.pipelines)):
        if not numbers:
            continue
        start(server, options, numbers)
        wait(f"{numbers.stop} pipelines on air", limit, lambda stop=numbers.stop: on_air(server, stop))
        # Until the state of each is as large as it gets.
        time.sleep(2 * options.batch_seconds)
        resident.append(server.resident_mb())
    ids = [one["id"] for one in server.ask("{ pipelines { id } }")["pipelines"]]

    seconds = options.batches * options.batch_seconds
    print(f"measuring {len(ids)} pipelines for {seconds} s", file=sys.stderr, flush=True)
    since, began = time.time(), time.monotonic()
    cpu, written = server.cpu_seconds(), server.written()
    fetched = server.metric("outboard_segment_bytes_total")
    peak = 0
    while time.monotonic() - began < seconds:
        time.sleep(1)
        peak = max(peak, server.resident_mb())
    elapsed = time.monotonic() - began
    cpu, written = server.cpu_seconds() - cpu, server.written() - written
    fetched = server.metric("outboard_segment_bytes_total") - fetched
    # The last ones are decided by now.
    time.sleep(3)
    took, outcomes = steps(server, ids, since)
    pipelines = server.ask("{" + STATUS + "}")["pipelines"]

    row(f"{len(ids)} pipelines over {elapsed:.0f} s", "measured", "to reach")
    row("CPU of host and children, of a core, each pipeline", f"{100 * cpu / elapsed / len(ids):.2f} %")
    if len(resident) == 2:
        more = (resident[1] - resident[0]) / (options.pipelines - half)
        row("RSS of a further pipeline", f"{more:.1f} MB", "<= 4 MB")
    row("RSS, highest", f"{peak:.0f} MB")
    row("bytes written to disk per byte of source", f"{written / max(fetched, 1):.2f}", "<= 2.1")
    for step, what, wanted in (
        ("SENT", "last segment on disk -> fragment handed out, median", "<= 30 ms"),
        ("REMUXED", "last segment on disk -> ready for air, median", "<= 60 ms"),
        ("REMUXED", "last segment on disk -> ready for air, 95 %", ""),
    ):
        values = took.get(step, [])
        at = percentile(values, 0.95) if what.endswith("95 %") else statistics.median(values or [float("nan")])
        row(what, f"{at:.0f} ms", wanted)
    # The first packet of a batch was there a batch before its last one.
    delays = [value + 1000 * options.batch_seconds for value in took.get("ON_AIR", [])]
    row("added delay, 95 %", f"{percentile(delays, 0.95) / 1000:.2f} s", "")
    lost = sum(int(one["status"]["counters"]["packetsLost"]) for one in pipelines)
    gaps = [int(to["maxOwnGapMs"]) for one in pipelines for to in one["status"]["destinations"]]
    row("packets lost", str(lost), "0")
    row("longest gap, of all", f"{max(gaps)} ms", "<= 1000 ms")
    print(f"batches: {outcomes}", flush=True)
    unused = sum(count for outcome, count in outcomes.items() if outcome != "PROCESSED")
    if lost or max(gaps) > 1000 or unused or not outcomes:
        sys.exit("a law was broken, or a reply was not used")


if __name__ == "__main__":
    main()
