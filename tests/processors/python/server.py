"""A real python-socketio server for Outboard's tests.

    server.py MODE [KEY=VALUE ...]

Modes: echo, nested, ack, out-of-order, duplicate, disconnect, by-ack, exception. Keys: port (0), namespace (/), token, delay (ms), count,
max_http_buffer_size, ping_interval and ping_timeout (seconds), transports (all; names with commas between). Prints one JSON line when it listens and one for each
thing that a test wants to know of. Ends with its parent: standard input closed means "stop".
"""

import asyncio
import json
import logging
import sys

import socketio
import uvicorn

MODE, *PAIRS = sys.argv[1:] or ["echo"]
SETTINGS = dict(pair.split("=", 1) for pair in PAIRS)
NAMESPACE = SETTINGS.get("namespace", "/")
COUNT = int(SETTINGS.get("count", 1))
DELAY = int(SETTINGS.get("delay", 0)) / 1000

server = socketio.AsyncServer(
    async_mode="asgi",
    max_http_buffer_size=int(SETTINGS.get("max_http_buffer_size", 100_000_000)),
    ping_interval=float(SETTINGS.get("ping_interval", 25)),
    ping_timeout=float(SETTINGS.get("ping_timeout", 20)),
    transports=SETTINGS["transports"].split(",") if "transports" in SETTINGS else None,
)
if MODE == "disconnect":
    # Frames in transit when a session ends belong to no packet; python-socketio rightly reports them.
    logging.disable()
connections = 0
held = []


def say(**what):
    print(json.dumps(what), flush=True)


@server.event(namespace=NAMESPACE)
async def connect(sid, environ, auth):
    global connections
    token = SETTINGS.get("token")
    if token and (auth or {}).get("token") != token:
        raise socketio.exceptions.ConnectionRefusedError("wrong token")
    connections += 1
    headers = {key[5:].lower().replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
    say(event="connection", connections=connections, headers=headers, auth=auth)


@server.event(namespace=NAMESPACE)
async def disconnect(sid, reason=None):
    say(event="disconnect", reason=str(reason))


async def answer(sid, fragment, data):
    await asyncio.sleep(DELAY)
    body = {"fragment": fragment, "data": data, "metadata": {"processingTime": DELAY * 1000}}
    await server.emit("fragment:processed", body, to=sid, namespace=NAMESPACE)


@server.on("fragment:data", namespace=NAMESPACE)
async def fragment_data(sid, message):
    global held
    fragment, data = message["fragment"], message["data"]
    say(event="fragment", id=fragment["id"], attempt=fragment.get("attempt"), buffer=isinstance(data, bytes), length=len(data))
    if MODE == "nested":
        body = {"preview": b"a picture", "deep": [{"deeper": {"data": data}}, b"\x01\x02\x03"], "fragment": fragment}
        await server.emit("fragment:processed", body, to=sid, namespace=NAMESPACE)
    elif MODE == "ack":
        ack = {"fragmentId": fragment["id"]}
        values = await server.call("fragment:ack", ack, to=sid, namespace=NAMESPACE, timeout=5)
        say(event="acked", values=values)
        await answer(sid, fragment, data)
    elif MODE == "out-of-order":
        held.append((sid, fragment, data))
        if len(held) >= COUNT:
            batch, held = held[::-1], []
            for one in batch:
                await answer(*one)
    elif MODE == "duplicate":
        for _ in range(3):
            await answer(sid, fragment, data)
    elif MODE == "disconnect" and connections <= COUNT:
        await server.disconnect(sid, namespace=NAMESPACE)
    elif MODE == "by-ack":
        return {"fragment": fragment, "data": data}
    elif MODE == "exception":
        await server.emit("exception", {"status": "error", "message": "no model"}, to=sid, namespace=NAMESPACE)
    else:
        await answer(sid, fragment, data)
    return None


async def main():
    config = uvicorn.Config(socketio.ASGIApp(server), port=int(SETTINGS.get("port", 0)), ws="wsproto", log_level="error")
    http = uvicorn.Server(config)
    serving = asyncio.create_task(http.serve())
    while not http.started:
        await asyncio.sleep(0.01)
    say(event="listening", port=http.servers[0].sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    http.force_exit = http.should_exit = True
    await serving


asyncio.run(main())
