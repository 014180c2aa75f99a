"""The table: what was measured, what must be reached, what is aimed at."""

HEAD = ("figure", "measured", "ratio", "must", "aim", "verdict")
WIDTHS = (50, 11, 9, 9, 9, 7)


def verdict(reached_must, reached_aim):
    if reached_aim:
        return "aim"
    return "reached" if reached_must else "MISSED"


class Table:
    def __init__(self):
        self.rows = []

    def add(self, figure, measured, value, must, aim, result, form):
        shown = [figure, measured] + [form.format(v) for v in (value, must, aim)]
        self.rows.append(
            {
                "figure": figure,
                "measured": measured,
                "value": value,
                "must": must,
                "aim": aim,
                "verdict": result,
                "shown": shown + [result],
            }
        )

    def at_least(self, figure, measured, value, must, aim):
        result = verdict(value >= must, value >= aim)
        self.add(figure, measured, value, must, aim, result, "{:.2f}")

    def at_most(self, figure, measured, value, must, aim, form):
        result = verdict(value <= must, value <= aim)
        self.add(figure, measured, value, must, aim, result, form)

    def lines(self):
        """At most 100 columns, the first left-aligned, the others right-aligned."""
        ruler = ["-" * width for width in WIDTHS]
        out = []
        for cells in [HEAD, ruler] + [row["shown"] for row in self.rows]:
            first, *others = (c.ljust(w) for c, w in zip(cells, WIDTHS))
            others = (c.strip().rjust(w) for c, w in zip(others, WIDTHS[1:]))
            out.append(" ".join([first, *others]).rstrip())
        return out
