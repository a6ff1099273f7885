"""The dialect `fragment`: sends `fragment:data` with the audio as a binary attachment, receives `fragment:processed`."""

import json
from typing import Any

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
    Reference,
    Reference_Batch,
    Reference_Id,
)
from wit_world.imports.types import Error_InvalidInput

# Most ids that are kept; more than fragments are ever in flight.
SENT_MAX = 64


class Framer:
    def __init__(self, metadata: dict[str, Any], state: dict[str, Any] | None) -> None:
        """`state`: the state of another instance; see the attribute."""
        self.metadata = metadata
        # The state from which another instance can resume on the open connection: ids of fragments that were sent, oldest
        # first, because a processor may use other ids in its replies.
        self.state: dict[str, list[str]] = {"sent": (state or {}).get("sent", [])}

    def encode(self, fragment: Fragment, audio: bytes) -> Message:
        if fragment.id not in self.state["sent"]:
            self.state["sent"] = [*self.state["sent"], fragment.id][-SENT_MAX:]
        facts = {
            "id": fragment.id,
            "streamId": fragment.stream_id,
            "sequenceNumber": fragment.batch,
            "batchNumber": fragment.batch,
            "timestamp": fragment.created_ms,
            "duration": round(fragment.duration_us / 1000),
            "codec": fragment.codec,
            "sampleRate": fragment.sample_rate_hz,
            "channels": fragment.channels,
            "contentType": fragment.content_type,
            "size": len(audio),
            "metadata": {
                **self.metadata,
                "fileName": fragment.file_name,
                "fileSize": len(audio),
                "ptsUs": fragment.pts_us,
            },
        }
        body = {"fragment": facts, "data": {"_placeholder": True, "num": 0}}
        return Message("fragment:data", json.dumps([body]), [audio])

    def decode(self, message: Message) -> list[Event]:
        """Raises the contract's `invalid-input` if the message is not JSON; events that are not in the dialect are ignored."""
        body = _body(message)
        fragment = self._reference(body)
        match message.event:
            case "fragment:processed" if fragment:
                return [_processed(body, fragment, message.attachments)]
            case "fragment:ack" if fragment:
                return [Event_Acknowledged(fragment)]
            case "fragment:error":
                reason = str(body.get("error", "the processor gave no reason"))
                return [Event_Failed(Failure(fragment, reason, body.get("retryable") is True))]
            case _:
                return []

    def _reference(self, body: dict[str, Any]) -> Reference | None:
        """The fragment: by an id that was sent, else by number, else by an unknown id."""
        inner = body["fragment"] if isinstance(body.get("fragment"), dict) else {}
        facts = {**body, **inner}
        name = facts.get("id", facts.get("fragmentId"))
        named = isinstance(name, str) and name != ""
        number = facts.get("batchNumber", facts.get("sequenceNumber"))
        if named and name in self.state["sent"]:
            return Reference_Id(name)
        if type(number) is int and 0 <= number < 2**64:
            return Reference_Batch(number)
        return Reference_Id(name) if named else None


def _body(message: Message) -> dict[str, Any]:
    try:
        arguments = json.loads(message.arguments)
    except ValueError as error:
        reason = f"the arguments of {message.event} are not a JSON array: {error}"
        raise Err(Error_InvalidInput(reason)) from error
    body = arguments[0] if isinstance(arguments, list) and arguments else None
    return body if isinstance(body, dict) else {}


def _processed(body: dict[str, Any], fragment: Reference, attachments: list[bytes]) -> Event:
    data = body.get("data")
    number = data.get("num") if isinstance(data, dict) else None
    if type(number) is not int or not 0 <= number < len(attachments):
        return Event_Failed(Failure(fragment, "the reply holds no audio", False))
    metadata = body.get("metadata")
    text = json.dumps(metadata if isinstance(metadata, dict) else {})
    return Event_Processed(Processed(fragment, attachments[number], text))
