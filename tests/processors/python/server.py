"""A real python-socketio server for Outboard's tests.

    server.py MODE [KEY=VALUE ...]

Modes: echo, nested, ack, out-of-order, duplicate, disconnect, by-ack, exception, encode. Keys: port (0), namespace (/), token, delay (ms), count,
max_http_buffer_size, ping_interval and ping_timeout (seconds), transports (all; names with commas between). Prints one JSON line when it listens and one for each
thing that a test wants to know of. Ends with its parent: standard input closed means "stop".

`encode` decodes each fragment with one run of ffmpeg and encodes it anew, as a real processor does. It speaks the dialects `fragment` and `sts`.
Its keys: reply (an entry of ENCODERS), rate (of the reply, in hertz), every_other (1: fragments with an odd number fail), all_samples (1: what edit
lists and such hide is decoded too).
"""

import asyncio
import base64
import json
import logging
import pathlib
import sys
import tempfile

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


# What `encode` replies with: the file's name, and ffmpeg's words for it.
ENCODERS = {
    "wav": ("reply.wav", "-c:a pcm_s16le"),
    "adts": ("reply.aac", "-c:a aac -b:a 192k -f adts"),
    "edit-list": ("reply.m4a", "-c:a aac -b:a 192k"),
    "fragments": ("reply.mp4", "-c:a aac -b:a 192k -movflags delay_moov+default_base_moof -frag_duration 1000000"),
    "no-edit-list": ("reply.mp4", "-c:a aac -b:a 192k -movflags empty_moov+default_base_moof"),
    "mp3": ("reply.mp3", "-c:a libmp3lame -b:a 256k"),
    "untold-mp3": ("reply.mp3", "-c:a libmp3lame -b:a 256k -write_xing 0"),
}


async def encoded(data, form):
    """The audio of a fragment, decoded and encoded. `form`: ffmpeg's words for samples without a header."""
    name, words = ENCODERS[SETTINGS["reply"]]
    rate = ["-ar", SETTINGS["rate"]] if "rate" in SETTINGS else []
    # Also without its name ffmpeg knows a file by its first bytes.
    whole = ["-flags2", "+skip_manual"] if SETTINGS.get("all_samples") else []
    if whole and data[4:8] == b"ftyp":
        whole += ["-ignore_editlist", "1"]
    with tempfile.TemporaryDirectory() as folder:
        path, reply = pathlib.Path(folder, "fragment"), pathlib.Path(folder, name)
        path.write_bytes(data)
        command = ["ffmpeg", "-nostdin", "-v", "error", *whole, *form, "-i", path, *words.split(), *rate, reply]
        process = await asyncio.create_subprocess_exec(*command)
        if await process.wait() != 0:
            raise RuntimeError(f"ffmpeg failed: {command}")
        return reply.read_bytes()


async def encode(sid, message):
    """Answers a fragment of either dialect."""
    sts = "audio" in message
    number = message["sequence_number"] if sts else message["fragment"]["batchNumber"]
    if SETTINGS.get("every_other") and number % 2 == 1:
        error = {"code": "NOT_WANTED", "message": "as the test wants it", "retryable": False}
        if sts:
            body = {"fragment_id": message["fragment_id"], "sequence_number": number, "status": "failed", "error": error}
            return await server.emit("fragment:processed", body, to=sid, namespace=NAMESPACE)
        body = {"fragment": message["fragment"], "error": error}
        return await server.emit("fragment:error", body, to=sid, namespace=NAMESPACE)
    if not sts:
        body = {"fragment": message["fragment"], "data": await encoded(message["data"], [])}
        return await server.emit("fragment:processed", body, to=sid, namespace=NAMESPACE)
    sent = message["audio"]
    form = []
    if sent["format"] == "pcm_s16le":
        form = ["-f", "s16le", "-ar", str(sent["sample_rate_hz"]), "-ac", str(sent["channels"])]
    audio = await encoded(base64.b64decode(sent["data_base64"]), form)
    dubbed = {**sent, "format": "wav", "data_base64": base64.b64encode(audio).decode()}
    body = {"fragment_id": message["fragment_id"], "sequence_number": number, "status": "success", "dubbed_audio": dubbed}
    return await server.emit("fragment:processed", body, to=sid, namespace=NAMESPACE)


@server.on("stream:init", namespace=NAMESPACE)
async def stream_init(sid, message):
    ready = {"stream_id": message["stream_id"], "session_id": "session", "max_inflight": 3, "capabilities": []}
    await server.emit("stream:ready", ready, to=sid, namespace=NAMESPACE)


async def answer(sid, fragment, data):
    await asyncio.sleep(DELAY)
    body = {"fragment": fragment, "data": data, "metadata": {"processingTime": DELAY * 1000}}
    await server.emit("fragment:processed", body, to=sid, namespace=NAMESPACE)


@server.on("fragment:data", namespace=NAMESPACE)
async def fragment_data(sid, message):
    global held
    if MODE == "encode":
        return await encode(sid, message)
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
