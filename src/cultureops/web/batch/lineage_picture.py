"""The lineage of a batch as a picture: marrow at the top, doses at the bottom, one box for what is handled together.

Only where things stand is worked out here; the template draws it, and escapes whatever names it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from cultureops.batch.lineage import Handling
from cultureops.clock import Instant

__all__ = ["Branch", "Edge", "Node", "Picture", "branches", "lineage_picture"]

WIDTH, HEIGHT = 240, 66
BETWEEN, BELOW = 18, 36
MARGIN: Final = 6
MOST_BESIDE: Final = 4
"""More children of one step than this are one box with their number."""
LONGEST: Final = 28


@dataclass(frozen=True, slots=True)
class Node:
    """One box: what it holds, what made it and when; ``names`` are all it stands for, x and y its upper left corner."""

    title: str
    names: tuple[str, ...]
    step: str
    at: Instant
    event_id: str
    cells: int | None
    discarded_cells: int
    is_end: bool
    rank: int
    x: float = 0.0
    y: float = 0.0

    @property
    def short(self) -> str:
        """The title as far as the box shows it."""
        return self.title if len(self.title) <= LONGEST else f"{self.title[: LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two boxes, as an SVG path."""

    path: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and lines, and how large the drawing is."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(slots=True)
class Branch:
    """The same as a nested list: a box under its first parent, naming the others."""

    node: Node
    others: tuple[str, ...] = ()
    children: list[Branch] = field(default_factory=list)


def lineage_picture(handlings: Iterable[Handling], cells: Mapping[str, int] = MappingProxyType({})) -> Picture:
    """Return where every box and line of a lineage stands; ``cells`` are those of single containers, by name."""
    nodes, parents = _graph(handlings, cells)
    rows: dict[int, list[int]] = {}
    for index, node in enumerate(nodes):
        rows.setdefault(node.rank, []).append(index)
    widest = max(map(len, rows.values()), default=1)
    width = 2 * MARGIN + widest * WIDTH + (widest - 1) * BETWEEN
    placed = list(nodes)
    for rank, row in rows.items():
        left = (width - len(row) * WIDTH - (len(row) - 1) * BETWEEN) / 2
        for place, index in enumerate(row):
            x, y = left + place * (WIDTH + BETWEEN), MARGIN + rank * (HEIGHT + BELOW)
            placed[index] = replace(nodes[index], x=x, y=float(y))
    edges = tuple(_edge(placed[parent], placed[child]) for child, of_child in enumerate(parents) for parent in of_child)
    return Picture(width, 2 * MARGIN + len(rows) * (HEIGHT + BELOW) - BELOW, tuple(placed), edges)


def branches(handlings: Iterable[Handling], cells: Mapping[str, int] = MappingProxyType({})) -> tuple[Branch, ...]:
    """Return the roots of the same as nested lists."""
    nodes, parents = _graph(handlings, cells)
    made = [Branch(node) for node in nodes]
    roots = []
    for branch, of_it in zip(made, parents, strict=True):
        if of_it:
            made[of_it[0]].children.append(branch)
            branch.others = tuple(nodes[index].title for index in of_it[1:])
        else:
            roots.append(branch)
    return tuple(roots)


def _graph(handlings: Iterable[Handling], known: Mapping[str, int]) -> tuple[list[Node], list[tuple[int, ...]]]:
    """Return the boxes in the order in which they came to be, and the boxes that each came out of."""
    nodes: list[Node] = []
    parents: list[tuple[int, ...]] = []
    present: dict[str, int] = {}
    for step in handlings:
        of_step = tuple(dict.fromkeys(present[name] for name in step.parents if name in present))
        rank = 1 + max((nodes[index].rank for index in of_step), default=-1)
        for names in _boxes(step.children):
            is_end = names == ("discarded",)
            is_all = len(step.children) == len(names)
            title = _title(step, names)
            for name in names:
                if not is_end:
                    present[name] = len(nodes)
            cells = step.cells_out if is_all and not is_end else known.get(names[0])
            discarded = step.discarded_cells if is_all else 0
            about = step.step, step.at, step.event_id
            nodes.append(Node(title, names, *about, cells, discarded, is_end, rank))
            parents.append(of_step)
        if step.step == "frozen":  # what follows may speak of all of them
            present["vials"] = len(nodes) - 1
    return nodes, parents


def _boxes(children: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(children)] if len(children) > MOST_BESIDE else [(name,) for name in children]


def _title(step: Handling, names: Sequence[str]) -> str:
    if names == ("discarded",):
        what = f"{len(step.parents)} vials" if step.step == "vials_discarded" else step.parents[0]
        return f"{what} discarded"
    if len(names) > 1:
        return f"{len(names)} {'vials' if step.step == 'frozen' else 'parts'}"
    return names[0]


def _edge(parent: Node, child: Node) -> Edge:
    x1, y1 = parent.x + WIDTH / 2, parent.y + HEIGHT
    x2, y2 = child.x + WIDTH / 2, child.y
    half = (y1 + y2) / 2
    return Edge(f"M{x1:g} {y1:g}C{x1:g} {half:g} {x2:g} {half:g} {x2:g} {y2:g}")
