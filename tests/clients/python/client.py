"""Drives gql by orders on standard input, one JSON object per line: calls over HTTP, subscriptions over a WebSocket.

The orders and what is told are those of ../node/client.js. Queries are held against the schema that the server itself
describes (introspection) before they are sent: a second opinion on both. Ends when standard input closes.
"""

import asyncio
import json
import sys

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError, TransportServerError
from gql.transport.requests import RequestsHTTPTransport
from gql.transport.websockets import WebsocketsTransport

# Seconds for steps that gql limits to 10: a busy machine may take longer to connect and to send the schema.
PATIENCE = 60

ADDRESS = sys.argv[1]
TOKEN = sys.argv[2] if len(sys.argv) > 2 else None


def tell(**message) -> None:
    # One write, because two threads may write at the same time.
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def http_client() -> Client:
    headers = {"authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    transport = RequestsHTTPTransport(url=f"http://{ADDRESS}/graphql", headers=headers, timeout=PATIENCE)
    return Client(transport=transport, fetch_schema_from_transport=True, execute_timeout=PATIENCE)


def call(client: Client, order: dict) -> None:
    try:
        result = client.execute_sync(GraphQLRequest(order["query"], variable_values=order["variables"]), get_execution_result=True)
        tell(id=order["id"], next={"data": result.data})
    except TransportQueryError as error:
        if error.data and any(value is not None for value in error.data.values()):
            tell(id=order["id"], next={"data": error.data, "errors": error.errors})
        else:
            tell(id=order["id"], error=error.errors)
            return
    except TransportServerError as error:
        tell(id=order["id"], error=[{"message": str(error), "status": error.code}])
        return
    except Exception as error:  # What a library makes of an answer is what the test wants to know.
        tell(id=order["id"], error=[{"message": f"{type(error).__name__}: {error}"}])
        return
    tell(id=order["id"], end=True)


async def follow(session, order: dict) -> None:
    try:
        async for result in session.subscribe(
            GraphQLRequest(order["query"], variable_values=order["variables"]), get_execution_result=True
        ):
            tell(id=order["id"], next={"data": result.data, "errors": result.errors and [error.formatted for error in result.errors]})
        tell(id=order["id"], end=True)
    except TransportQueryError as error:
        tell(id=order["id"], error=error.errors)


async def main() -> None:
    http = http_client()
    subprotocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    init = {"token": TOKEN} if TOKEN else {}
    waits = {"connect_timeout": PATIENCE, "close_timeout": PATIENCE, "ack_timeout": PATIENCE}
    transport = WebsocketsTransport(
        url=f"ws://{ADDRESS}/graphql", init_payload=init, subprotocols=subprotocols, **waits
    )
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Client(transport=transport, fetch_schema_from_transport=True, execute_timeout=PATIENCE) as session:
        running: dict[str, asyncio.Task] = {}
        while line := await lines.readline():
            order = json.loads(line)
            if order["do"] == "stop":
                running.pop(order["id"]).cancel()
            elif order["do"] == "call":
                running[order["id"]] = asyncio.create_task(asyncio.to_thread(call, http, order))
            else:
                running[order["id"]] = asyncio.create_task(follow(session, order))
        for task in running.values():
            task.cancel()


asyncio.run(main())
