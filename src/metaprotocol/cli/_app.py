"""The commands and their options; what they do is in the modules beside, each loaded when its command runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import metaprotocol
from metaprotocol.cli._terminal import exit_codes

__all__ = ["app"]

app = typer.Typer(
    name="metaprotocol",
    help="Layer-7 protocols besides HTTP: what is on the wire, decoded.",
    epilog="`metaprotocol --install-completion` adds completion to your shell.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """What the input is."""

    AUTO = "auto"
    PCAP = "pcap"
    PCAPNG = "pcapng"
    RAW = "raw"
    HEX = "hex"


class Way(StrEnum):
    """Which way the bytes of a raw input travelled."""

    CLIENT_TO_SERVER = "client_to_server"
    SERVER_TO_CLIENT = "server_to_client"


class Show(StrEnum):
    """How rows are shown."""

    AUTO = "auto"
    TABLE = "table"
    JSON = "json"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"metaprotocol {metaprotocol.__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Layer-7 protocols besides HTTP: what is on the wire, decoded."""


def _protocols(incomplete: str) -> list[str]:
    return [name for name in metaprotocol.list_codecs() if name.startswith(incomplete)]


CODEC_HELP = "Use this codec, too: codec.yaml, libcodec.so, module:Class or file.py:Class."

DECODE_EXAMPLES = """
**Examples**

    metaprotocol decode dump.pcap

    metaprotocol decode dump.pcap --where method=sayHello --where 'latency_ms>100'

    metaprotocol decode dump.pcapng -p dubbo --columns interface,user | jq .metadata

    tcpdump -i lo -U -w - port 20880 | metaprotocol decode -

    metaprotocol decode growing.pcap --follow

    metaprotocol decode dump.pcap --out calls.parquet --summary

    metaprotocol decode dump.pcap --codec ./acorn.py:Acorn

    echo 'dabbe2000000000000000002000000014e' | metaprotocol decode - --format hex

**Exit codes**: 0 done; 1 the input cannot be read, or the output not be written; 2 wrong usage; 3 with `--strict`,
frames were broken or bytes missing; 4 a codec failed, which is its author's fault.
"""


@app.command(epilog=DECODE_EXAMPLES)
def decode(
    file: Annotated[str, typer.Argument(help="A capture, a raw stream or hex; `-` reads standard input.")],
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            "-p",
            metavar="CODEC",
            help="Read only this protocol (faster); otherwise it is recognised for each connection. A name, or where "
            "the codec is, as --codec takes it.",
            autocompletion=_protocols,
        ),
    ] = None,
    codec: Annotated[
        list[str] | None, typer.Option("--codec", metavar="SOURCE", help=CODEC_HELP + " May be given again.")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="What the input is; auto tells it by its first bytes.")
    ] = Format.AUTO,
    direction: Annotated[
        Way, typer.Option("--direction", "-d", help="Which way the bytes of raw and hex input travelled.")
    ] = Way.CLIENT_TO_SERVER,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="KEY=VALUE",
            help="Show only what meets this; may be given again, then all must be met. Also `!=`, `~REGEX`, `!~REGEX`, "
            "`<`, `<=`, `>`, `>=`. Keys are the fields of a JSON line (kind, outcome, service, method, latency_ms …) "
            "and metadata keys (`metaprotocol codecs NAME` lists them).",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", "-c", metavar="KEY,…", help="Show these metadata keys, and no others."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many rows.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", help="Write to a file: .arrow, .parquet or .jsonl."),
    ] = None,
    show: Annotated[
        Show, typer.Option("--show", help="Rows as a table or as JSON lines; auto is a table on a terminal only.")
    ] = Show.AUTO,
    follow: Annotated[
        bool, typer.Option("--follow", "-F", help="Wait for more at the end of the file, until Ctrl-C.")
    ] = False,
    summary: Annotated[
        bool,
        typer.Option("--summary", "-s", help="Show calls, errors and latencies by method instead of rows."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary at the end, no progress, no notes.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if frames were broken, or bytes missing.")
    ] = False,
    max_frame_len: Annotated[
        int | None, typer.Option("--max-frame-len", metavar="BYTES", min=1, help="Longest frame accepted; 64 MiB.")
    ] = None,
) -> None:
    """Decode a capture into calls: requests with their responses, filtered, as a table, JSON lines or Arrow.

    On a terminal a table, in a pipe one JSON object a line. TCP streams are put together from pcap and pcapng files;
    broken frames are rows of kind `malformed`.
    """
    from metaprotocol.cli import _decode

    with exit_codes():
        _decode.run(
            _decode.Request(
                file=file,
                protocol=protocol,
                codecs=tuple(codec or ()),
                format=format_.value,
                direction=metaprotocol.Direction[direction.name],
                where=tuple(where or ()),
                columns=_split(columns),
                limit=limit,
                out=out,
                show=show.value,
                follow=follow,
                summary=summary,
                quiet=quiet,
                strict=strict,
                max_frame_len=max_frame_len,
            )
        )


def _split(columns: list[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    keys = [key.strip() for part in columns for key in part.split(",")]
    return tuple(dict.fromkeys(key for key in keys if key))


@app.command(
    epilog="""
**Examples**

    metaprotocol codecs

    metaprotocol codecs dubbo

    metaprotocol codecs ./acorn.py:Acorn

    metaprotocol codecs | jq -r .name
"""
)
def codecs(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show this codec and its metadata keys: a name, or where it is.",
            metavar="CODEC",
            autocompletion=_protocols,
        ),
    ] = None,
    codec: Annotated[
        list[str] | None, typer.Option("--codec", metavar="SOURCE", help=CODEC_HELP + " May be given again.")
    ] = None,
    show: Annotated[
        Show, typer.Option("--show", help="A table or JSON lines; auto is a table on a terminal only.")
    ] = Show.AUTO,
) -> None:
    """List the codecs that there are, and what they can do."""
    from metaprotocol.cli import _codecs

    with exit_codes():
        _codecs.run(name, codec or (), show.value)


REPLAY_EXAMPLES = """
**Examples**

    metaprotocol replay calls.pcap --to 127.0.0.1:9090

    metaprotocol replay calls.pcap --to staging:20880 --speed max --diff

    metaprotocol replay calls.pcap --to staging:20880 --where method=sayHello --limit 100 | jq .latency_ms

**Exit codes**: 0 done; 1 the capture cannot be read, nothing in it can be replayed, or the server not be reached, and
with `--diff` also when an answer is missing or differs from the captured one; 2 wrong usage.
"""


@app.command(epilog=REPLAY_EXAMPLES)
def replay(
    file: Annotated[str, typer.Argument(help="A capture: pcap or pcapng.")],
    to: Annotated[str, typer.Option("--to", "-t", metavar="HOST:PORT", help="The server to send the requests to.")],
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            "-p",
            metavar="CODEC",
            help="The protocol of all connections; otherwise it is recognised for each. A name, or where the codec is, "
            "as --codec takes it.",
            autocompletion=_protocols,
        ),
    ] = None,
    codec: Annotated[
        list[str] | None, typer.Option("--codec", metavar="SOURCE", help=CODEC_HELP + " May be given again.")
    ] = None,
    speed: Annotated[
        str,
        typer.Option("--speed", help="How many times as fast as captured (1x, 2x …); max leaves out the pauses."),
    ] = "1x",
    connections: Annotated[
        str,
        typer.Option("--connections", metavar="as-captured|N", help="One for each captured connection, or N for all."),
    ] = "as-captured",
    diff: Annotated[bool, typer.Option("--diff", help="Compare the answers with the captured ones.")] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="FIELD,…", help="Fields that may differ: metadata keys, `kind`, `body`."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", "-w", metavar="KEY=VALUE", help="Send only what meets this; as for `decode`."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Send the first so many calls.")] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.001, help="How long to wait for each answer.")
    ] = 5.0,
    show: Annotated[
        Show, typer.Option("--show", help="A table or JSON lines; auto is a table on a terminal only.")
    ] = Show.AUTO,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
) -> None:
    """Send the requests of a capture again, under fresh ids, and report how they were answered.

    A connection never has more requests under way than in the capture: what the captured client sent after an answer
    is sent after that answer. Connections whose state cannot be replayed are skipped, with the reason.
    """
    from metaprotocol.cli import _replay

    with exit_codes():
        _replay.run(
            _replay.Request(
                file=file,
                to=to,
                protocol=protocol,
                codecs=tuple(codec or ()),
                speed=speed,
                connections=connections,
                diff=diff,
                ignore=_split(ignore) or (),
                where=tuple(where or ()),
                limit=limit,
                timeout=timeout,
                show=show.value,
                quiet=quiet,
            )
        )


BENCH_EXAMPLES = """
**Examples**

    metaprotocol bench thrift

    metaprotocol bench calls.pcap --against mypackage.reader:count_frames

    metaprotocol bench ours.yaml --samples samples/ --out before.json

    metaprotocol bench ours.yaml --samples samples/ --compare before.json --plot speed.svg

**A peer** is a function `func(stream: bytes, chunks: list[bytes]) -> int`. It reads the stream, whole or in the chunks
that it would be received in, and returns how many frames it found. The measured runs alternate with ours.

**Exit codes**: 0 done; 1 an input cannot be read or compared, a peer fails, or an output not be written; 2 wrong usage.
"""


@app.command(epilog=BENCH_EXAMPLES)
def bench(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="CODEC|FILE", help="A codec, or a capture whose frames its codec reads.", autocompletion=_protocols
        ),
    ],
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", "-p", metavar="CODEC", help="The protocol of a capture.", autocompletion=_protocols),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", metavar="PATH", help="Frames for a codec: a file or folder of .hex, .bin, .pcap."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="MODULE:FUNC", help="A peer to measure beside; may be given again."),
    ] = None,
    chunk_sizes: Annotated[
        str, typer.Option("--chunk-sizes", metavar="SIZE,…", help="Bytes fed at a time.")
    ] = "64,1K,16K,256K",
    time: Annotated[
        str, typer.Option("--time", "-t", metavar="DURATION", help="About how long to measure: 10, 30s, 1m.")
    ] = "5s",
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="How many measurements of each.")] = 11,
    json_: Annotated[bool, typer.Option("--json", help="JSON lines on a terminal too; as `--show json`.")] = False,
    show: Annotated[
        Show, typer.Option("--show", help="A table or JSON lines; auto is a table on a terminal only.")
    ] = Show.AUTO,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="PATH", help="Write the results as JSON.")] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="PATH", help="Results of --out to compare with.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PATH", help="Draw the results: .png or .svg (needs matplotlib).")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
) -> None:
    """Measure each verb of a codec: time, speed and allocations by frame and chunk size, beside peers and earlier runs.

    Each measurement is taken next to a fixed piece of Python. What is compared between runs is the ratio of the two.
    """
    from metaprotocol.cli import _bench, _durations

    with exit_codes():
        _bench.run(
            _bench.Request(
                subject=subject,
                protocol=protocol,
                samples=samples,
                against=tuple(against or ()),
                chunk_sizes=_split([chunk_sizes]) or (),
                time=_durations.seconds("--time", time),
                rounds=rounds,
                show="json" if json_ else show.value,
                out=out,
                compare=compare,
                plot=plot,
                quiet=quiet,
            )
        )


class CodecKind(StrEnum):
    """How a new codec is written."""

    YAML = "yaml"
    PYTHON = "python"
    CYTHON = "cython"
    RUST = "rust"


class Mode(StrEnum):
    """What the proxy does with its configuration."""

    SERVE = "serve"
    VALIDATE = "validate"


class LogLevel(StrEnum):
    """What is logged at least; Envoy's names."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    OFF = "off"


PROXY_EXAMPLES = """
**Examples**

    metaprotocol proxy -c bootstrap.yaml

    metaprotocol proxy -c bootstrap.yaml --mode validate --strict

    metaprotocol proxy -c bootstrap.yaml --hot-restart-path /run/metaprotocol.sock

**Signals**: SIGTERM and SIGINT accept no more, let what is under way finish, and end; a second one ends at once.

On a terminal the log is for people; in a pipe it is JSON lines.

**Exit codes**: 0 ended by a signal, or the configuration is good; 1 it cannot be used; 2 wrong usage.
"""


@app.command(epilog=PROXY_EXAMPLES)
def proxy(
    config: Annotated[
        str, typer.Option("--config-path", "-c", metavar="FILE", help="The bootstrap: YAML or JSON, as Envoy takes it.")
    ] = "",
    overlay: Annotated[
        str,
        typer.Option("--config-yaml", metavar="TEXT", help="YAML that is merged over the bootstrap, or is all of it."),
    ] = "",
    mode: Annotated[Mode, typer.Option("--mode", help="Serve, or only check the configuration.")] = Mode.SERVE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse fields that are not understood or not supported.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--concurrency", "-j", min=1, metavar="N", help="Threads that serve, by default one a processor."),
    ] = None,
    drain_time: Annotated[
        float, typer.Option("--drain-time-s", min=0, metavar="SECONDS", help="How long connections have at the end.")
    ] = 10,
    log_level: Annotated[LogLevel, typer.Option("--log-level", "-l", help="The least that is logged.")] = LogLevel.INFO,
    admin_address_path: Annotated[
        Path | None,
        typer.Option("--admin-address-path", metavar="FILE", help="A file to write the admin port's address to."),
    ] = None,
    hot_restart_path: Annotated[
        Path | None,
        typer.Option(
            "--hot-restart-path",
            metavar="SOCKET",
            help="Take over from the process that has this Unix socket, if there is one, and let others take over.",
        ),
    ] = None,
    service_node: Annotated[
        str, typer.Option("--service-node", metavar="ID", help="The node's id, instead of the bootstrap's.")
    ] = "",
    service_cluster: Annotated[
        str, typer.Option("--service-cluster", metavar="NAME", help="The node's cluster, instead of the bootstrap's.")
    ] = "",
) -> None:
    """Run the proxy: messages of all protocols routed, balanced and handed on."""
    from metaprotocol.cli import _proxy

    with exit_codes():
        _proxy.run(
            _proxy.Request(
                config=config,
                overlay=overlay,
                mode=mode.value,
                strict=strict,
                workers=workers,
                drain_timeout=drain_time,
                log_level=log_level.value,
                admin_address_path=admin_address_path,
                hot_restart_path=hot_restart_path,
                service_node=service_node,
                service_cluster=service_cluster,
            )
        )


@app.command(
    "new-codec",
    epilog="""
**Examples**

    metaprotocol new-codec acorn --kind yaml && cd acorn && pytest

    metaprotocol new-codec acorn --kind rust --dir codecs/acorn

**Exit codes**: 0 done; 1 a file exists already or cannot be written; 2 wrong usage.
""",
)
def new_codec(
    name: Annotated[str, typer.Argument(help="The protocol's id: one lower-case word.")],
    kind: Annotated[CodecKind, typer.Option("--kind", "-k", help="How it is written.")],
    folder: Annotated[
        Path | None, typer.Option("--dir", "-d", metavar="PATH", help="Where; a new folder of that name if not said.")
    ] = None,
) -> None:
    """Begin a codec: a small project, with samples, that passes the conformance suite before you change a line.

    Its protocol is an example with a header and lengths. Nothing that exists is overwritten.
    """
    from metaprotocol.cli import _new_codec

    with exit_codes():
        _new_codec.run(name, kind.value, folder)


# fuzz


@app.command(
    epilog="""
**Examples**

    metaprotocol fuzz acorn.yaml --corpus samples/ --time 60s

    metaprotocol fuzz codecs/acorn.py:Acorn --jobs 4 --time 1h

    metaprotocol fuzz dubbo --replay artifacts/dubbo-cut-5d41402a.c2s.bin

**Exit codes**: 0 nothing found; 1 something was; 2 wrong usage, or the codec cannot be run.
"""
)
def fuzz(
    codec: Annotated[
        str,
        typer.Argument(help="A name, or where it is: codec.yaml, codec.so, module:Class.", autocompletion=_protocols),
    ],
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", "-c", help="A folder of samples to begin with; new streams are kept there."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", "-s", help="Samples to begin with (.hex, .bin, .pcap); nothing is written there."),
    ] = None,
    time: Annotated[str, typer.Option("--time", "-t", metavar="DURATION", help="How long: 30, 60s, 5m, 1h.")] = "60s",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes that make up streams.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="Where the randomness starts.")] = 0,
    max_len: Annotated[int, typer.Option("--max-len", min=1, max=1 << 20, help="Longest stream, in bytes.")] = 4096,
    artifacts: Annotated[Path, typer.Option("--artifacts", "-a", help="The folder for what is found.")] = Path(
        "artifacts"
    ),
    hang: Annotated[
        float, typer.Option("--hang", min=0.1, help="Seconds of processor time that no stream may take.")
    ] = 2.0,
    memory: Annotated[int, typer.Option("--memory", min=16, help="MiB that no stream may take.")] = 512,
    first: Annotated[bool, typer.Option("--first", "-x", help="End with the first finding.")] = False,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Run this once more instead, with every check.")
    ] = None,
    libfuzzer: Annotated[
        bool,
        typer.Option("--libfuzzer", help="Run the built-in codec's libFuzzer targets, in a checkout of metaprotocol."),
    ] = False,
    show: Annotated[
        Show, typer.Option("--show", help="A line that lives or JSON lines; auto is the former on a terminal only.")
    ] = Show.AUTO,
) -> None:
    """Run a codec on streams made up from samples, and check what must hold for any bytes whatever.

    Finds exceptions, crashes, hangs, reads beyond the end, memory without bound, results that depend on how a stream
    is cut, and verbs that contradict each other. What it finds is made small and saved, with the command that shows it
    again.
    """
    from metaprotocol.cli import _durations, _fuzz
    from metaprotocol.testing._fuzz import FuzzOptions

    with exit_codes():
        duration = _durations.seconds("--time", time)
        if libfuzzer:
            code = _fuzz.libfuzzer(codec, duration)
        else:
            options = FuzzOptions(
                codec=codec,
                corpus=corpus,
                samples=samples,
                seconds=duration,
                jobs=jobs,
                seed=seed,
                max_len=max_len,
                artifacts=artifacts,
                hang=hang,
                memory=memory,
                first=first,
            )
            code = _fuzz.run(options, replay, show.value)
    if code:
        sys.exit(code)


# codec

codec_app = typer.Typer(
    name="codec",
    help="Write a codec as a description in YAML: check it, try it on bytes, show its layout.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(codec_app)


@codec_app.command(
    "check",
    epilog="""
**Examples**

    metaprotocol codec check acorn.yaml

    metaprotocol codec check 'acorn.yaml?length_width=2' | jq .reason

**Exit codes**: 0 all are right; 1 a mistake was found, or a file cannot be read; 2 wrong usage.
""",
)
def codec_check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Descriptions: codec.yaml, codec.yaml?NAME=VALUE.")
    ],
    show: Annotated[
        Show, typer.Option("--show", help="For people or as JSON lines; auto is the former on a terminal only.")
    ] = Show.AUTO,
) -> None:
    """Compile descriptions, and show every mistake with its place, the reason and what to do."""
    from metaprotocol.cli import _codec_check

    with exit_codes():
        code = _codec_check.run(files, show.value)
    if code:
        sys.exit(code)


@codec_app.command(
    "try",
    epilog="""
**Examples**

    metaprotocol codec try acorn.yaml --hex '4143 01 00000007 00 00000002 6869'

    metaprotocol codec try acorn.yaml --file answer.bin --direction server_to_client

    xxd dump.bin | metaprotocol codec try zork -

**Exit codes**: 0 the bytes are whole frames; 1 they are broken or cut, or cannot be read; 2 wrong usage.
""",
)
def codec_try(
    codec: Annotated[
        str, typer.Argument(metavar="CODEC", help="A description, or another codec.", autocompletion=_protocols)
    ],
    stdin: Annotated[str | None, typer.Argument(metavar="-", help="Read standard input.", show_default=False)] = None,
    hex_: Annotated[str | None, typer.Option("--hex", "-x", metavar="TEXT", help="The bytes, as hex digits.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A file of bytes, of hex digits, or a dump of xxd or hexdump -C."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The input is bytes, even if it looks like hex.")] = False,
    direction: Annotated[
        Way, typer.Option("--direction", "-d", help="Which way the bytes travelled.")
    ] = Way.CLIENT_TO_SERVER,
    show: Annotated[
        Show, typer.Option("--show", help="A dump or JSON lines; auto is the former on a terminal only.")
    ] = Show.AUTO,
) -> None:
    """Decode bytes, and show each field of each frame with its place and value, and what the codec makes of it."""
    from metaprotocol.cli import _codec_try

    with exit_codes():
        data = _codec_try.read(hex_, file, stdin, raw=raw)
        code = _codec_try.run(codec, data, metaprotocol.Direction[direction.name], show.value)
    if code:
        sys.exit(code)


@codec_app.command(
    "show",
    epilog="""
**Examples**

    metaprotocol codec show acorn.yaml

    metaprotocol codec show zork --width 8 --svg zork.svg

**Exit codes**: 0 done; 1 there is no layout to show, or the file cannot be written; 2 wrong usage.
""",
)
def codec_show(
    codec: Annotated[
        str, typer.Argument(metavar="CODEC", help="A description, or a codec made of one.", autocompletion=_protocols)
    ],
    svg: Annotated[Path | None, typer.Option("--svg", metavar="PATH", help="Write the drawing as SVG.")] = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width", "-w", min=1, max=32, metavar="BYTES", help="Bytes in a row; as many as fit if not said."
        ),
    ] = None,
    show: Annotated[
        Show, typer.Option("--show", help="A drawing or JSON; auto is the former on a terminal only.")
    ] = Show.AUTO,
) -> None:
    """Draw the layout of a described codec, with its rules, keys and replies."""
    from metaprotocol.cli import _codec_show

    with exit_codes():
        _codec_show.run(codec, svg, width, show.value)


@codec_app.command(
    "schema",
    epilog="""
**Examples**

    metaprotocol codec schema --out codec.schema.json

An editor uses it for a description that begins with `# yaml-language-server: $schema=codec.schema.json`.
""",
)
def codec_schema(
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="PATH", help="Write it to this file.")] = None,
) -> None:
    """Print the JSON Schema of descriptions, with which editors complete and check them."""
    from metaprotocol.cli import _codec_schema

    with exit_codes():
        _codec_schema.run(out)
