"""The documentation is true: its Python runs, its tables say what the code says."""

from __future__ import annotations

import doctest
import re
import sys
import textwrap
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import metaprotocol
from metaprotocol import Direction, ErrorType, KeyInfo, Limits, _load, _registry, codec, errors

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LIMITS_PAGE = DOCS / "how-to" / "limits-and-errors.md"
TUTORIAL = DOCS / "tutorial" / "first-codec.md"

# One ping in framed binary Thrift and one in bRPC, one sayHello("world") of Dubbo: requests to reply to.
REQUESTS = {
    "awesomerpc": bytes.fromhex("01 00000007 00000012 0003 0000 68656c6c6f"),
    "qza": bytes.fromhex("01 01020304 006a 0099") + bytes(97),
    "brpc": b"PRPC" + bytes.fromhex("0000000f 0000000f 0a0b 0a03 612e42 1204 70696e67 2007"),
    "thrift": bytes.fromhex("00000011 80010001 00000004 70696e67 00000007 00"),
    "dubbo": bytes.fromhex(
        "dabbc20000000000000000070000005a05322e302e320c64656d6f2e47726565746572"
        "05312e302e300873617948656c6c6f124c6a6176612f6c616e672f537472696e673b05"
        "776f726c644804706174680c64656d6f2e477265657465720567726f757004626c75655a"
    ),
    "kafka": bytes.fromhex("0000001a 0003 0001 00000007 0004 73686f70 00000001 0006 6f7264657273"),
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "trpc": bytes.fromhex("09300000 00000019 0009 00000007 0100 1807 3a05 2f612f622f"),
    "videopacket": bytes.fromhex(
        "260000002a01000000000000000000000a01084010012c3c4c5c60017c8c0b1a0b290c36040001100228"
    ),  # command 1
}


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks in a language, but for files: line of the first line of code, and the code."""
    text = page.read_text()
    return [
        (text.count("\n", 0, match.start("code")) + 1, textwrap.dedent(match["code"]))
        for match in FENCE.finditer(text)
        if match["info"].split()[:1] == [language] and "title=" not in match["info"]
    ]


def pages_with(language: str) -> list[Path]:
    pages = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [page for page in pages if blocks(page, language)]


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    assert section, f"{page.name} has no section {heading!r}"
    rows = [line for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows[2:]]


@pytest.fixture
def _registry_restored() -> Iterator[None]:
    """Codecs that a page registers are gone after it."""
    codecs, aliases = dict(_registry._codecs), dict(_registry._aliases)
    yield
    for known, before in ((_registry._codecs, codecs), (_registry._aliases, aliases)):
        known.clear()
        known.update(before)


def run(page: Path) -> types.ModuleType:
    """Runs a page's blocks in one namespace, and then the test functions that they define."""
    module = types.ModuleType(f"docs_{page.stem.replace('-', '_')}")
    # Classes look their module up by name (dataclasses, annotations).
    sys.modules[module.__name__] = module
    try:
        for line, code in blocks(page, "python"):
            if code.lstrip().startswith(">>>"):
                run_session(code, vars(module), page, line)
            else:
                # Blank lines bring the numbers of a traceback into line with the page.
                exec(compile("\n" * (line - 1) + code, str(page), "exec"), vars(module))
        for name, value in list(vars(module).items()):
            if name.startswith("test_"):
                value()
    finally:
        del sys.modules[module.__name__]
    return module


def run_session(code: str, namespace: dict[str, Any], page: Path, line: int) -> None:
    test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line - 1)
    test.globs = namespace  # the parser copies it
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


@pytest.mark.usefixtures("_registry_restored")
@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_every_page_runs(page: Path) -> None:
    run(page)


def test_pages_that_must_show_python_do() -> None:
    shown = {str(page.relative_to(ROOT)) for page in pages_with("python")}
    assert shown >= {
        "README.md",
        "docs/quickstart.md",
        "docs/tutorial/first-codec.md",
        "docs/how-to/batch-analytics.md",
        "docs/how-to/limits-and-errors.md",
    }


@pytest.mark.usefixtures("_registry_restored")
@pytest.mark.parametrize("module", [metaprotocol, codec, errors, _load, _registry], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_run(module: types.ModuleType) -> None:
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert failed == 0


def test_a_wrong_output_in_a_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nvalue = 1\n```\n\n```python\n>>> value\n2\n```\n")
    with pytest.raises(AssertionError, match="Expected"):
        run(page)


@pytest.mark.usefixtures("_registry_restored")
def test_the_entry_point_of_the_tutorial_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [(_, toml)] = blocks(TUTORIAL, "toml")
    [(name, target)] = tomllib.loads(toml)["project"]["entry-points"]["metaprotocol.codecs"].items()
    module, _, _ = target.partition(":")
    source = next(code for _, code in blocks(TUTORIAL, "python") if "(metaprotocol.Codec)" in code)
    (tmp_path / f"{module}.py").write_text(source)
    info = tmp_path / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[metaprotocol.codecs]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert name in metaprotocol.list_codecs()
        assert metaprotocol.get_codec(name).name == name
    finally:
        sys.modules.pop(module, None)


def test_the_codec_of_the_tutorial_is_used_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = next(code for _, code in blocks(TUTORIAL, "python") if "(metaprotocol.Codec)" in code)
    [(_, commands)] = blocks(TUTORIAL, "sh")
    [place] = set(re.findall(r"\./(\S+\.py:\w+)", commands))
    assert f'load_codec("{place}")' in TUTORIAL.read_text()
    (tmp_path / place.partition(":")[0]).write_text(source)
    monkeypatch.chdir(tmp_path)
    assert metaprotocol.load_codec(place).name == "acorn"


def test_the_options_of_the_mitmproxy_page_are_the_addons() -> None:
    addon = (ROOT / "examples" / "mitmproxy_addon.py").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "how-to" / "mitmproxy.md").read_text(), re.MULTILINE)
    assert rows == re.findall(r"add_option\(\s*\"(\w+)\"", addon)


@pytest.mark.parametrize(
    "name", ["awesomerpc", "brpc", "dubbo", "kafka", "qza", "redis", "thrift", "trpc", "videopacket", "zork"]
)
def test_the_keys_of_a_protocol_page_are_the_codecs(name: str) -> None:
    rows = table(DOCS / "protocols" / f"{name}.md", "Metadata keys")
    shown = [KeyInfo(key, about, writable == "yes", number == "yes") for key, writable, number, about in rows]
    assert shown == list(metaprotocol.get_codec(name).keys)


@pytest.mark.parametrize("name", ["hulu", "nova", "public", "sofa"])
def test_the_keys_of_the_other_protocols_of_brpc(name: str) -> None:
    rows = table(DOCS / "protocols" / "brpc.md", f"Keys of {name}")
    shown = [KeyInfo(key, about, writable == "yes", number == "yes") for key, writable, number, about in rows]
    assert shown == list(metaprotocol.get_codec(name).keys)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("awesomerpc", "rsp_code"),
        ("brpc", "error_code"),
        ("dubbo", "status"),
        ("kafka", "error_code"),
        ("qza", "rsp_code"),
        ("redis", "error_code"),
        ("thrift", "exception_type"),
        ("trpc", "ret"),
        ("videopacket", "result"),
    ],
)
def test_the_replies_of_a_protocol_page_are_the_codecs(name: str, key: str) -> None:
    spoken = metaprotocol.get_codec(name)
    made = {}
    for error in ErrorType:
        connection = spoken.connection()
        [request] = connection.feed(Direction.CLIENT_TO_SERVER, REQUESTS[name])
        reply = spoken.reply(request, error, "why")
        assert reply is not None
        [answer] = connection.feed(Direction.SERVER_TO_CLIENT, reply)
        made[error.name] = answer.metadata[key]
    rows = table(DOCS / "protocols" / f"{name}.md", "Replies")
    shown = {error: int(value) if value.isdigit() else value for error, value in rows}
    assert shown == made


def test_every_error_class_is_explained() -> None:
    assert {row[0] for row in table(LIMITS_PAGE, "The classes")} == set(errors.__all__)


def test_every_reason_code_is_explained() -> None:
    source = (ROOT / "native" / "core" / "src" / "error.rs").read_text()
    codes = re.search(r"pub const CODES: \[&'static str; \d+\] = \[(.*?)\];", source, re.DOTALL)
    assert codes
    assert [row[0] for row in table(LIMITS_PAGE, "Reason codes")] == re.findall(r'"(\w+)"', codes[1])


def test_the_limits_are_the_defaults() -> None:
    defaults = Limits()
    shown = {name: int(value) for name, value, _ in table(LIMITS_PAGE, "Limits")}
    assert shown == {name: getattr(defaults, name) for name in dir(defaults) if name.startswith("max_")}


def test_every_public_name_is_in_the_reference() -> None:
    pages = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: metaprotocol\.(?:errors\.)?(\w+)$", pages, re.MULTILINE))
    assert shown == {*metaprotocol.__all__, *errors.__all__} - {"__version__"}


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", FENCE.sub("", page.read_text())):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
