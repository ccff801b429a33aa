"""The plot of `metaprotocol bench`; matplotlib is imported only when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metaprotocol.cli._terminal import Failure, usage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check", "plot"]

SUFFIXES = (".png", ".svg")


def check(path: Path) -> None:
    """Find out before the work whether a plot can be made.

    Raises:
        Failure: If it cannot.
    """
    if path.suffix not in SUFFIXES:
        usage(f"--plot {path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise Failure("--plot needs matplotlib: pip install 'metaprotocol[plot]'") from None


def plot(path: Path, results: dict[str, Any]) -> None:
    """Draw speed by chunk size, and what each of the other verbs costs.

    Raises:
        Failure: If the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    speed, cost = figure.subplots(1, 2)
    rows = results["rows"]
    for verb in dict.fromkeys(row["verb"] for row in rows if row["chunk"] is not None):
        points = [
            (row["chunk"], row["frames_per_s"]) for row in rows if row["verb"] == verb and row["chunk"] is not None
        ]
        speed.plot(*zip(*points, strict=True), marker="o", label=verb)
    speed.set(xscale="log", yscale="log", xlabel="bytes fed at a time", ylabel="frames/s", title="feeding")
    speed.set_xticks([row["chunk"] for row in rows if row["verb"] == "feed"])
    speed.xaxis.set_major_formatter(lambda size, _: f"{size / 1024:g} KiB" if size >= 1024 else f"{size:g} B")
    speed.minorticks_off()
    speed.grid(visible=True, alpha=0.3)
    speed.legend()
    others = [row for row in rows if row["chunk"] is None]
    bars = cost.barh([row["verb"] for row in others], [row["ns_per_frame"] for row in others])
    cost.bar_label(bars, fmt="%.0f", padding=3)
    cost.set(xlabel="ns/frame", title="verbs")
    cost.invert_yaxis()
    cost.margins(x=0.15)
    figure.suptitle(f"{results['protocol']}, {results['workload']['origin']}")
    try:
        figure.savefig(path)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}") from None
