"""Makes up queries and mutations from a GraphQL schema and holds every answer to what docs/api.md promises: a JSON object
with data or errors, and a code that clients know with each error. UNAVAILABLE is no answer to a made-up request.

fuzz_graphql.py SCHEMA URL SEED EXAMPLES (of each field) <TOKEN. Says what does not fit, and fails then.
"""

import json
import sys

import graphql
import requests
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

CODES = {"UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND", "INVALID_INPUT", "CONFLICT", "LIMIT_EXCEEDED"}
# Seconds; the machine is busy with other tests, and a first compilation of the stages is among the answers.
TIMEOUT = 60


def json_values():
    text = st.text(max_size=8).map(lambda value: nodes.String(value))
    number = st.integers(-(2**40), 2**40).map(nodes.Int)
    return st.one_of(text, number, st.booleans().map(nodes.Boolean), st.just(nodes.Null))


SCALARS = {
    "BigInt": st.integers(-1, 2**60).map(nodes.Int) | st.text(max_size=8).map(nodes.String),
    "DateTime": st.sampled_from(["2026-01-31T23:59:59.123Z", "yesterday", ""]).map(nodes.String),
    "JSON": json_values(),
}


def problem(response):
    """What is wrong with an answer; None if nothing is."""
    if response.status_code not in (200, 400):
        return f"status {response.status_code}"
    try:
        answer = response.json()
    except ValueError:
        return "no JSON"
    if not isinstance(answer, dict) or not ({"data", "errors"} & answer.keys()):
        return "neither data nor errors"
    for error in answer.get("errors", []):
        if error.get("extensions", {}).get("code") not in CODES:
            return "an error with a code that is not for clients' mistakes"
    return None


def main(schema_file, url, number, examples):
    token = sys.stdin.read().strip()
    with open(schema_file, encoding="utf-8") as file:
        schema = graphql.build_schema(file.read())
    session = requests.Session()
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    asked, found = 0, []
    for root in (schema.query_type, schema.mutation_type):
        for field in root.fields:

            @seed(int(number))
            @settings(
                max_examples=int(examples),
                database=None,
                deadline=None,
                derandomize=False,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.quiet,
            )
            @given(from_schema(schema, fields=[field], custom_scalars=SCALARS))
            def ask(query):
                nonlocal asked
                asked += 1
                response = session.post(url, json={"query": query}, timeout=TIMEOUT)
                wrong = problem(response)
                if wrong:
                    found.append(f"{root.name}.{field}: {wrong}\n  asked: {query}\n  answered: {response.text[:1000]}")

            ask()
    print("\n".join(found) or json.dumps({"asked": asked}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
