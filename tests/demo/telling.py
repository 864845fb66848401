"""How the demo tells its story: headlines, what a command printed (in excerpts), short lines. Knows no Surveyor."""

import sys
import textwrap

WIDTH = 110
INDENT = "    "


class Untrue(Exception):
    """Something that should have become true did not."""


def expect(condition, problem):
    """Ends the demo with this problem, unless the condition holds."""
    if not condition:
        raise Untrue(problem)


class Teller:
    """Prints, and counts the chapters."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.chapter = 0

    def line(self, text=""):
        """One line, as it is."""
        print(text.rstrip(), file=self.stream, flush=True)

    def headline(self, title):
        """The next chapter."""
        self.chapter += 1
        self.line()
        self.line(f"== {self.chapter}. {title}")

    def say(self, text):
        """A sentence or two."""
        for line in textwrap.wrap(text, WIDTH):
            self.line(line)

    def aside(self, text):
        """What a command printed, in other words."""
        for line in textwrap.wrap(text, WIDTH - len(INDENT)):
            self.line(INDENT + line)

    def command(self, *arguments):
        """A command, as it was typed."""
        self.line("$ " + " ".join(["surveyor", *arguments]))

    def output(self, text, keep=None, join=False, width=WIDTH):
        """What it printed: whole lines, or those that `keep` wants, and how many there were between them.

        With `join` all that is left out is counted once, at the end. Longer lines than `width` are cut.
        """
        skipped = 0
        for line in text.rstrip().splitlines():
            if keep and not keep(line):
                skipped += 1
                continue
            if not join:
                skipped = self.skip(skipped)
            self.line(INDENT + shortened(line, width))
        self.skip(skipped)

    def skip(self, count):
        """Says how many lines were left out."""
        if count:
            self.line(f"{INDENT}... ({count} more lines)" if count > 1 else f"{INDENT}... (1 more line)")
        return 0

    def facts(self, rows):
        """Pairs of a word and what is so; a word that repeats is printed once."""
        rows = list(rows)
        width = max((len(word) for word, _ in rows), default=0)
        before = None
        for word, fact in rows:
            self.line(f"{INDENT}{'' if word == before else word:{width}}  {fact}")
            before = word


def shortened(line, width):
    """A line that is not too long for a terminal."""
    return line if width is None or len(line) <= width else line[: width - 3] + "..."
