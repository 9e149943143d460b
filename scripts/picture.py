#!/usr/bin/env python3
"""Draws what a terminal showed as an SVG. Standard library only.

    script -qec 'stanch demo --yes' /dev/null | scripts/picture.py --title 'stanch demo --yes' > docs/img/demo.svg

Reads text with ANSI colours from standard input. Lines that were written over (progress) appear as
they stood in the end; the window is as wide as its widest line, 100 columns at most.
"""

import argparse
import html
import re
import sys
import unicodedata

CELL_W, LINE_H, PAD, BAR = 8.43, 19.0, 22.0, 38.0
COLOURS = {
    "fg": "#d7dce5", "bg": "#12161e", "bar": "#1b212c", "edge": "#2a3240",
    "30": "#5c6370", "31": "#ff7b86", "32": "#8fd694", "33": "#f0c674",
    "34": "#7fb4ff", "35": "#d3a4ff", "36": "#6fd3dc", "37": "#d7dce5",
}
FAINT = "#8792a5"
STRONG = "#ffffff"
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>]")


class Style:
    """Colour and weight at one moment."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.colour, self.bold, self.faint = None, False, False

    def take(self, codes):
        for code in (codes or "0").split(";"):
            code = code.lstrip("0") or "0"
            if code == "0":
                self.reset()
            elif code == "1":
                self.bold = True
            elif code == "2":
                self.faint = True
            elif code == "22":
                self.bold = self.faint = False
            elif code in COLOURS:
                self.colour = code
            elif code == "39":
                self.colour = None

    def key(self):
        if self.colour:
            return COLOURS[self.colour], self.bold
        if self.faint:
            return FAINT, False
        return (STRONG if self.bold else COLOURS["fg"]), self.bold


def width(char):
    """Columns of one character."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cells(text):
    """Plays the text on an endless screen; yields each line as cells of (character, style)."""
    style, line, at = Style(), [], 0
    position = 0
    while position < len(text):
        found = SEQUENCE.match(text, position)
        if found:
            position = found.end()
            if found.group(2) == "m":
                style.take(found.group(1))
            elif found.group(2) == "K":
                line = [] if found.group(1) == "2" else line[:at]
            continue
        char = text[position]
        position += 1
        if char == "\n":
            yield line
            line, at = [], 0
        elif char == "\r":
            at = 0
        elif char >= " ":
            line.extend([(" ", Style().key())] * (at - len(line)))
            line[at:at + 1] = [(char, style.key())]
            at += 1
    if line:
        yield line


def spans(line):
    """Neighbours of one style, as (column, text, style); blanks at the ends belong to nobody."""
    column, start, run, current = 0, 0, "", None
    for char, style in line + [("", None)]:
        if style != current:
            if run.strip():
                lead = len(run) - len(run.lstrip())
                yield start + lead, run.strip(), current
            start, run, current = column, "", style
        run += char
        column += width(char) if char else 0


def svg(lines, title):
    columns = max([60] + [sum(width(c) for c, _ in line) for line in lines])
    w, h = columns * CELL_W + 2 * PAD, len(lines) * LINE_H + 2 * PAD + BAR - 6
    fonts = "ui-monospace,'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" height="{h:.0f}" '
        f'role="img" aria-label="{html.escape(title)}" font-family="{fonts}" font-size="14" xml:space="preserve">',
        f'<rect width="{w:.0f}" height="{h:.0f}" rx="10" fill="{COLOURS["bg"]}"/>',
        f'<path d="M0 {BAR}V10a10 10 0 0 1 10-10h{w - 20:.0f}a10 10 0 0 1 10 10v{BAR - 10:.0f}z" fill="{COLOURS["bar"]}"/>',
        f'<path d="M0 {BAR}h{w:.0f}" stroke="{COLOURS["edge"]}"/>',
    ]
    for n, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        out.append(f'<circle cx="{20 + 20 * n}" cy="{BAR / 2}" r="6" fill="{colour}"/>')
    out.append(f'<text x="{w / 2:.0f}" y="{BAR / 2 + 5}" text-anchor="middle" fill="{FAINT}">{html.escape(title)}</text>')
    for n, line in enumerate(lines):
        y = BAR + PAD + n * LINE_H + 9
        for column, text, (colour, bold) in spans(line):
            x, length = PAD + column * CELL_W, sum(width(c) for c in text) * CELL_W
            weight = ' font-weight="600"' if bold else ""
            out.append(
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs" '
                f'fill="{colour}"{weight}>{html.escape(text)}</text>'
            )
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--title", default="stanch")
    parser.add_argument("--command", help="shown as typed in the first line")
    options = parser.parse_args()
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if options.command:
        text = f"\x1b[36m$\x1b[0m \x1b[1m{options.command}\x1b[0m\n\n" + text
    lines = list(cells(text))
    while lines and not "".join(c for c, _ in lines[-1]).strip():
        lines.pop()
    sys.stdout.write(svg(lines, options.title))


if __name__ == "__main__":
    main()
