"""Generates queries, mutations and subscriptions from a GraphQL schema and checks every response against docs/api.md: a JSON object
with data or errors, and a code that clients know with each error. UNAVAILABLE is no answer to a made-up request.

fuzz_graphql.py SCHEMA URL SEED EXAMPLES (of each field) <TOKEN. Says what does not fit, and fails then.
"""

import collections
import contextlib
import http.client
import json
import sys
import urllib.parse

import graphql
import requests
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

CODES = {"UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND", "INVALID_INPUT", "CONFLICT", "LIMIT_EXCEEDED"}
# Seconds; the machine is busy with other tests, and a response may include a first compilation of the stages.
TIMEOUT = 60
# Seconds without an event after which a subscription counts as waiting. It is not requested again.
QUIET = 0.5


def json_values():
    text = st.text(max_size=8).map(lambda value: nodes.String(value))
    number = st.integers(-(2**40), 2**40).map(nodes.Int)
    return st.one_of(text, number, st.booleans().map(nodes.Boolean), st.just(nodes.Null))


SCALARS = {
    "BigInt": st.integers(-1, 2**60).map(nodes.Int) | st.text(max_size=8).map(nodes.String),
    "DateTime": st.sampled_from(["2026-01-31T23:59:59.123Z", "yesterday", ""]).map(nodes.String),
    "JSON": json_values(),
    # A file would be in another part of the request; here there is none.
    "Upload": st.text(max_size=8).map(nodes.String) | st.just(nodes.Null),
}


def problem(status, text):
    """What is wrong with a response; None if it is valid."""
    if status not in (200, 400):
        return f"status {status}"
    try:
        answer = json.loads(text)
    except ValueError:
        return "no JSON"
    if not isinstance(answer, dict) or not ({"data", "errors"} & answer.keys()):
        return "neither data nor errors"
    for error in answer.get("errors", []):
        if error.get("extensions", {}).get("code") not in CODES:
            return "an error with a code that is not for clients' mistakes"
    return None


def ask(session, url, query):
    """Sends a query or mutation; returns the status and the response."""
    response = session.post(url, json={"query": query}, timeout=TIMEOUT)
    return response.status_code, response.text


def follow(session, url, query):
    """Subscribes over server-sent events: returns the status and the first response, or None."""
    place = urllib.parse.urlsplit(url)
    headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
    headers |= {name: value for name, value in session.headers.items() if name == "Authorization"}
    with contextlib.closing(http.client.HTTPConnection(place.hostname, place.port, timeout=TIMEOUT)) as connection:
        connection.request("POST", place.path, json.dumps({"query": f"subscription {query}"}), headers)
        response = connection.getresponse()
        if not response.headers["Content-Type"].startswith("text/event-stream"):
            return response.status, response.read().decode()
        connection.sock.settimeout(QUIET)
        try:
            while line := response.readline():
                if line.startswith(b"data: {"):
                    return response.status, line.decode().removeprefix("data: ")
        except TimeoutError:
            return response.status, None
        return response.status, "the stream ended without an answer"


def roots(schema):
    """Each root with the generator of its requests. hypothesis-graphql does not support subscriptions, so their root is used as
    the query root of a schema of its own."""
    as_queries = graphql.GraphQLSchema(query=schema.subscription_type)
    return (
        (schema, schema.query_type, ask),
        (schema, schema.mutation_type, ask),
        (as_queries, as_queries.query_type, follow),
    )


def main(schema_file, url, number, examples):
    token = sys.stdin.read().strip()
    with open(schema_file, encoding="utf-8") as file:
        schema = graphql.build_schema(file.read())
    session = requests.Session()
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    asked, answered, found = 0, collections.Counter(), []
    for schema, root, send in roots(schema):
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
            def run(query):
                nonlocal asked, answered
                asked += 1
                status, text = send(session, url, query)
                if text is None:
                    return
                answered[root.name] += 1
                wrong = problem(status, text)
                if wrong:
                    found.append(f"{root.name}.{field}: {wrong}\n  asked: {query}\n  answered: {text[:1000]}")

            run()
    if len(answered) < 3:
        found.append(f"a whole root was never answered: {dict(answered)}")
    print("\n".join(found) or json.dumps({"asked": asked, "answered": answered}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
