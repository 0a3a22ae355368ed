"""A bar chart as SVG, by hand: one bar a contender, its figure beside it."""

from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, TOP = 720, 110, 26, 54
COLOURS = {"sluice": "#0b7285", "direct": "#ced4da", "relay": "#ced4da"}
OTHERS = "#868e96"


def bars(title, unit, figures):
    """`figures`: [(name, value)]; a bar that would leave the others unreadable is cut, and says so."""
    values = sorted(value for _, value in figures)
    cut = values[-1]
    if len(values) > 2 and values[-1] > 6 * values[len(values) // 2]:
        cut = 3 * values[len(values) // 2]
    height = TOP + BAR * len(figures) + 14
    room = WIDTH - LABEL - 120
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="600" fill="#212529">{escape(title)}</text>',
        f'<text x="12" y="42" fill="#868e96">{escape(unit)}; less is better</text>',
    ]
    for i, (name, value) in enumerate(figures):
        y = TOP + BAR * i
        length = max(2, room * min(value, cut) / cut if cut else 2)
        number = f"{value:,.1f}" + (" (bar cut)" if value > cut else "")
        lines += [
            f'<text x="{LABEL - 8}" y="{y + 16}" text-anchor="end" fill="#212529">'
            f"{escape(name)}</text>",
            f'<rect x="{LABEL}" y="{y + 3}" width="{length:.1f}" height="{BAR - 8}" rx="2" '
            f'fill="{COLOURS.get(name, OTHERS)}"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{y + 16}" fill="#495057">{number}</text>',
        ]
    return "\n".join(lines + ["</svg>", ""])
