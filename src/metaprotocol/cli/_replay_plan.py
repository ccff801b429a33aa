"""What of a capture can be sent again, and what cannot, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from metaprotocol import Direction, FirstSpeaker, Kind, PairBy, Sharing
from metaprotocol.cli._calls import metadata_text, service_and_method, shown_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from metaprotocol import Codec, Frame
    from metaprotocol._native import Condition
    from metaprotocol.captures import Conversation

__all__ = ["Call", "Plan", "Script", "Skipped", "Step", "plan"]

STREAMS = frozenset({Kind.STREAM_OPEN, Kind.STREAM_DATA, Kind.STREAM_HALF_CLOSE, Kind.STREAM_CLOSE})


@dataclass(eq=False)
class Call:
    """A captured request: its captured answer, and what became of it when it was sent again."""

    connection: int
    client: str
    server: str
    time_ns: int
    request: Frame
    service: str
    method: str
    captured: Frame | None = None
    captured_ms: float | None = None
    outcome: str = "not_sent"
    """`answered`, `timeout`, `lost` (the connection ended), `oneway`, or `not_sent`."""
    answer: Frame | None = None
    latency_ms: float | None = None
    why: str = ""
    """For people, where it is lost or not sent."""

    @property
    def codec(self) -> Codec:
        """The codec of its frames."""
        return self.request.codec


class Step(NamedTuple):
    """Send a call, or wait until it is answered: in the capture the client had the answer before it went on."""

    call: Call
    wait: bool


@dataclass
class Script:
    """The steps of one captured connection, in its order."""

    connection: int
    steps: list[Step] = field(default_factory=list)


class Skipped(NamedTuple):
    """A captured connection that is not replayed."""

    connection: int
    client: str
    server: str
    why: str


class Plan(NamedTuple):
    """All that is to be done."""

    scripts: list[Script]
    calls: list[Call]
    """In the order they were captured."""
    skipped: list[Skipped]
    heartbeats: int
    """Heartbeats of clients, which are not sent again."""


def plan(conversations: Iterable[Conversation], where: Sequence[Condition], limit: int | None) -> Plan:
    """Choose the calls to send.

    Args:
        conversations: A decoded capture.
        where: Conditions that a call must meet.
        limit: The most calls, the earliest first.
    """
    skipped = []
    scripts = []
    heartbeats = 0
    for conversation in conversations:
        why = _why_not(conversation)
        if why:
            skipped.append(Skipped(conversation.number, conversation.client, conversation.server, why))
            continue
        script, beats = _script(conversation)
        heartbeats += beats
        if script.steps:
            scripts.append(script)
        else:
            why = "it has no requests"
            skipped.append(Skipped(conversation.number, conversation.client, conversation.server, why))
    wanted = [step.call for script in scripts for step in script.steps if not step.wait]
    wanted = [call for call in wanted if all(condition.met_by(_value(call, condition.key)) for condition in where)]
    wanted.sort(key=lambda call: call.time_ns)
    wanted = wanted[:limit]
    kept = set(map(id, wanted))
    for script in scripts:
        script.steps = [step for step in script.steps if id(step.call) in kept]
    return Plan([script for script in scripts if script.steps], wanted, skipped, heartbeats)


def _why_not(conversation: Conversation) -> str:
    """Why a connection cannot be replayed; empty if it can."""
    codec = conversation.codec
    if codec is None:
        return "no codec recognises it (--protocol or --codec names one)"
    name = codec.name
    if codec.first_speaker is FirstSpeaker.SERVER:
        return f"in {name} the server speaks first, and what it says decides what the client may send"
    if codec.sharing is Sharing.BOUND:
        return f"a {name} connection holds state of its client (sharing: bound), which requests alone do not bring back"
    if codec.pair_by not in (PairBy.ID, PairBy.ORDER):
        return f"{name} pairs no answer with a request by id or order (pair_by: {codec.pair_by.name.lower()})"
    if conversation.midstream:
        return "the capture begins in the middle of it"
    if conversation.missing:
        return f"the capture lacks {conversation.missing:,} of its bytes"
    if conversation.error is not None:
        return f"it cannot be decoded to its end: {conversation.error}"
    for _, frame in conversation.frames:
        from_client = frame.direction is Direction.CLIENT_TO_SERVER
        if frame.kind in STREAMS:
            return f"it has streams ({frame.kind.name} at offset {frame.offset}), whose frames depend on each other"
        if from_client and frame.kind is Kind.CONTROL:
            return f"it has a handshake or login (CONTROL at offset {frame.offset}), which is only good once"
        if not from_client and frame.kind is Kind.REQUEST:
            return f"the server sends requests of its own (at offset {frame.offset}), which nobody would answer"
    return ""


def _script(conversation: Conversation) -> tuple[Script, int]:
    script = Script(conversation.number)
    calls: dict[int, Call] = {}
    heartbeats = 0
    for time_ns, frame in conversation.frames:
        if frame.direction is Direction.CLIENT_TO_SERVER:
            if frame.kind in (Kind.REQUEST, Kind.ONEWAY):
                service, method = service_and_method(frame)
                call = Call(
                    conversation.number, conversation.client, conversation.server, time_ns, frame, service, method
                )
                calls[frame.offset] = call
                script.steps.append(Step(call, wait=False))
            elif frame.kind is Kind.HEARTBEAT:
                heartbeats += 1
        elif frame.request is not None and frame.request.offset in calls:
            call = calls[frame.request.offset]
            call.captured = frame
            call.captured_ms = (time_ns - call.time_ns) / 1e6
            script.steps.append(Step(call, wait=True))
    return script, heartbeats


def _value(call: Call, key: str) -> str | None:
    """What a condition looks at: the keys of `metaprotocol decode` that a captured call has, or its metadata."""
    row: dict[str, object] = {
        "protocol": call.codec.name,
        "connection": call.connection,
        "client": call.client,
        "server": call.server,
        "request_id": shown_id(call.request),
        "service": call.service or None,
        "method": call.method or None,
        "request_bytes": len(call.request),
        "response_bytes": None if call.captured is None else len(call.captured),
        "latency_ms": call.captured_ms,
    }
    if key in row:
        value = row[key]
        return None if value is None else str(value)
    for frame in (call.request, call.captured):
        if frame is not None and (text := metadata_text(frame, key)) is not None:
            return text
    return None
