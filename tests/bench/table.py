"""The table of a run: ours beside the best peer, the goal, and whether it is reached."""

import dataclasses
import json
import statistics

OURS = "mdserver"


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a row is to reach. `times`: so many times better than the best peer. The others are plain bounds; `share`
    is of the best peer's figure."""
    times: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    share: float | None = None

    def text(self):
        if self.times is not None:
            return f"{self.times:g}x"
        if self.at_least is not None:
            return f">= {self.at_least:,g}"
        if self.at_most is not None:
            return f"<= {self.at_most:,g}"
        return f"<= {self.share:g} of it"

    def reached(self, ours, best, less):
        """None: no peer to compare with."""
        if self.at_least is not None:
            return ours >= self.at_least
        if self.at_most is not None:
            return ours <= self.at_most
        if best is None:
            return None
        if self.share is not None:
            return ours <= best * self.share
        return best >= ours * self.times if less else ours >= best * self.times


@dataclasses.dataclass(frozen=True)
class Row:
    part: str
    what: str
    figures: dict  # server -> values, one a repetition
    goal: Goal | None
    digits: int
    less: bool  # is better

    def medians(self):
        return {name: statistics.median(values) for name, values in self.figures.items() if values}

    def best(self):
        """(name, median) of the best peer."""
        peers = {name: value for name, value in self.medians().items() if name != OURS}
        if not peers:
            return None, None
        name = (min if self.less else max)(peers, key=peers.get)
        return name, peers[name]

    def cell(self, name):
        values = self.figures.get(name)
        if not values:
            return "-"
        middle = f"{statistics.median(values):,.{self.digits}f}"
        if len(values) == 1:
            return middle
        return f"{middle} ({min(values):,.{self.digits}f}-{max(values):,.{self.digits}f})"

    def ratio(self):
        """How many times better ours is."""
        ours, (_, best) = self.medians().get(OURS), self.best()
        if ours is None or best is None or ours <= 0 or best <= 0:
            return None
        return best / ours if self.less else ours / best

    def verdict(self):
        ours, (_, best) = self.medians().get(OURS), self.best()
        if self.goal is None or ours is None:
            return ""
        return {True: "yes", False: "NO", None: "no peer"}[self.goal.reached(ours, best, self.less)]

    def columns(self):
        name, _ = self.best()
        ratio = self.ratio()
        return (self.what, self.cell(OURS), f"{self.cell(name)} {name}" if name else "-",
                f"{ratio:.2f}" if ratio else "-", self.goal.text() if self.goal else "", self.verdict())


HEAD = ("measured", "mdserver", "best peer", "times better", "goal", "reached")


class Table:
    """Prints each row as soon as it is there."""
    def __init__(self):
        self.rows = []
        self.part = ""
        self._print(HEAD)

    @staticmethod
    def _print(columns):
        what, ours, best, ratio, goal, verdict = columns
        print(f"{what:58} {ours:>26} {best:>40} {ratio:>12} {goal:>12}  {verdict}", flush=True)

    def row(self, what, figures, goal=None, *, digits=0, less=False):
        """`figures`: {server's name: [value, ...]}. `less` is better."""
        row = Row(self.part, what, {name: [v for v in values if v is not None] for name, values in figures.items()},
                  goal, digits, less)
        self.rows.append(row)
        self._print(row.columns())

    def summary(self):
        judged = [row.verdict() for row in self.rows if row.verdict() in ("yes", "NO")]
        return f"{judged.count('yes')} of {len(judged)} goals reached"

    def json(self, **more):
        return json.dumps(more | {
            "rows": [{
                "part": row.part, "measured": row.what, "figures": row.figures, "medians": row.medians(),
                "best_peer": row.best()[0], "times_better": row.ratio(), "goal": row.goal.text() if row.goal else None,
                "reached": row.verdict() or None, "less_is_better": row.less
            } for row in self.rows]
        }, indent=1)

    @staticmethod
    def _line(columns):
        first, *others = columns
        # What belongs to the line above stands in under it.
        first = first.replace("  ", "&nbsp;&nbsp;", 1) if first.startswith("  ") else first
        return "| " + " | ".join((first, *others)) + " |"

    def markdown(self):
        lines = [self._line(HEAD), "|---|---:|---:|---:|---:|---|"]
        return "\n".join(lines + [self._line(row.columns()) for row in self.rows]) + "\n"

    def peers_markdown(self):
        """Every server's figure, where there is more than one peer."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.figures if name != OURS))
        rows = [row for row in self.rows if sum(bool(row.figures.get(name)) for name in names) > 1]
        if not rows:
            return ""
        lines = ["| measured | " + " | ".join((OURS, *names)) + " |", "|---" + "|---:" * (len(names) + 1) + "|"]
        lines += [self._line((row.what, *(row.cell(name) for name in (OURS, *names)))) for row in rows]
        return "\n".join(lines) + "\n"
