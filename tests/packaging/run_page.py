"""Runs a page of the documentation as a reader would: writes its files, types its commands, compares the output.

    run_page.py PAGE BIN

PAGE is Markdown; BIN a folder of programs that comes first on the PATH (`bin` of an environment with the wheel in it).
The page is worked through in an empty folder:

* a fenced block with `title="NAME"` is the file NAME; a second block of the same name replaces it;
* of a `console` block each line that starts with `$ ` is typed into bash on a terminal of 100 columns; the lines behind
  it are what must be shown. A line `...` stands for any lines, `…` within a line for any text. Commands whose output is
  not shown must succeed; `<!-- exits: N -->` before a block says how its last command ends if not with 0.

Exits with 1 at the first difference.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

FENCE = re.compile(
    r"(?:<!-- exits: (?P<exits>\d+) -->\n+)?"
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'title="([^"]+)"')
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SECONDS = 300
"""A command that takes longer hangs."""


def commands(code: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, with the output shown behind it."""
    found: list[tuple[str, list[str]]] = []
    for line in code.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        elif found:
            found[-1][1].append(line)
    return found


def type_into_terminal(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Runs a command on a terminal; gives its exit code and what was shown."""
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = bytearray()
    deadline = time.monotonic() + SECONDS
    while True:
        if not select.select([main], [], [], max(0.0, deadline - time.monotonic()))[0]:
            os.killpg(process.pid, signal.SIGKILL)
            sys.exit(f"{command}\nhangs; it shows\n{shown.decode('utf-8', 'replace')}")
        try:
            piece = os.read(main, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    code = process.wait()
    text = ESCAPES.sub("", shown.decode("utf-8", "replace").replace("\r\n", "\n"))
    # A progress line is drawn over: what counts is what stays.
    return code, "\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in text.splitlines())


def pattern(lines: list[str]) -> str:
    """What the output must match."""
    parts = [
        "(?:.*\n)*?" if line.strip() == "..." else ".*".join(map(re.escape, line.rstrip().split("…"))) + "\n"
        for line in lines
    ]
    return "".join(parts)


def run(page: Path, programs: Path) -> None:
    """Works a page through.

    Raises:
        SystemExit: At the first command that does not do what the page says.
    """
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {
            "PATH": f"{programs.resolve()}{os.pathsep}{os.environ['PATH']}",
            "HOME": name,
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "LINES": "40",
        }
        count = 0
        for block in FENCE.finditer(text):
            line = text.count("\n", 0, block.start("code")) + 1
            code = textwrap.dedent(block["code"])
            title = TITLE.search(block["info"])
            if title:
                path = folder / title[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(code, encoding="utf-8")
            elif block["info"].split()[:1] == ["console"]:
                typed = commands(code)
                for index, (command, expected) in enumerate(typed):
                    started = time.monotonic()
                    exit_code, shown = type_into_terminal(command, folder, environment)
                    print(f"{page.name}:{line}: $ {command}  ({time.monotonic() - started:.1f} s)", flush=True)
                    wanted = int(block["exits"] or 0) if index == len(typed) - 1 else 0
                    wrong = "" if exit_code == wanted else f"exits with {exit_code}, not {wanted}"
                    if not wrong and expected and not re.fullmatch(pattern(expected), shown + "\n"):
                        wrong = "shows something else than\n" + "\n".join(expected)
                    if wrong:
                        sys.exit(f"{page}:{line}: {command}\n{wrong}\n--- it shows\n{shown}")
                    count += 1
        if not count:
            sys.exit(f"{page}: no commands in it")
        print(f"{page.name}: {count} commands do what the page says")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    run(Path(sys.argv[1]), Path(sys.argv[2]))
