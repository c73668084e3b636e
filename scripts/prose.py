"""Finds phrases that readers stumble over, in the documentation and in every string and comment of the source.

`make check` runs it. Each pattern has the wording to use instead; code, in blocks or between backticks, is not read.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md")
SOURCE = "src/**/*.py"
PATTERNS = {
    r"\bunless (?:it is )?(?:said|told)\b": 'name the default: "Default: 20."',
    r"\b(?:is|are|was|were|be|been|being|gets?|not|and|as) told\b": "say who shows, logs or sends what",
    r"\btold (?:of|about|by|to)\b": "say who shows, logs or sends what",
    r"\b(?:whoever|whomever|whom)\b": "name the person: the user, the caller, the operator",
    r"\b(?:for|by|of|to|from|than|with|and) who\b": "name the person: a user who, callers that",
    r"(?:^|[.;:] )Who (?:may|is|can|asks|reads)\b[^?]*$": "begin with the subject: Users who can",
    r"\b(?:[Ww]hat|[Ww]hich \w+) (?:is|are|was|were) \w+ (?:say|tell|decide)s?\b": "subject, verb, object",
    r"\b(?:is|are|was|were) proven\b|\bproven (?:against|by|on)\b": "tested against",
    r"\b(?:is|are|was|goes|be|all) well(?: again)?(?=[.,;:)]|$| and\b)": "healthy, active, correct",
    r"\b(?:thereby|therein|thereof|whereby|wherein|whereof|therewith|wherewith)\b": "two sentences",
    r"\bhangs? on (?:it|a|the|this|that)\b": "depends on",
    r"\bstands? (?:behind|for itself)\b": "say what it does: has several environments",
    r"\bsigns? of life\b": "heartbeat",
    r"\b(?:wants?|wishes) to be told\b": "must be sent",
    r"\bwhat (?:it|he|she|they|one|somebody|anybody) (?:has|have) (?:of|by)\b": "name the thing",
    r"\bfor good\b": "permanently",
    r"(?:^|[.;:] )(?:Left|Told|Kept|Held|Asked|Meant) (?:out|are|is|by|at)\b": "subject, verb, object",
    r"\b(?:tells?|told) (?:apart|why|whether|which|how|of|nothing|no)\b": "shows, reports, distinguishes",
    r"\b(?:[Oo]f it|[Oo]f (?:these|those|them)),? (?:the|only|what)\b": "subject, verb, object",
    r"\bsee (?:that|to it)\b|^See that\b": "check that, ensure that",
    r"\b(?:goes|go) on (?:in the clear|with|to)\b": "continues",
    r"\blooks? into\b|\blooked into\b": "checks, reads",
    r"\bfrom behind\b": "after",
    r"\bin the (?:stead|way) of\b|\bstands? in for\b": "replaces",
    r"\bhow many there are in all\b": "the number of all",
    r"\bwhatever (?:it|they|he|she) (?:is|are|was|were|raises?|says?)\b": "name the cases",
    r"\bof its own words\b|\bthe server's own words\b": "the server's message",
    r"\bwithout a word\b|\bsays a word\b": "silently",
    r"\bturn(?:s|ed)? it round\b": "reverse",
    r"\brefuses? the start\b": "does not start",
}
RELATIVES = {
    r"^(?:# )?(?:What|Whom|Whose|Whoever) [^?|#*]*[.:;](?= |$)": "name the thing: The fields that",
    r"\bwhat (?:became|came|is left|is (?:due|there|wrong|kept|stored|read|sent|asked|given))\b": "name the thing",
    r"\b(?:no longer|not|nothing) counts?\b(?! towards|[.;,] )": "is ignored",
}
"""Phrases that hide their subject, such as a text that begins with "What is read."."""
UNREAD = ("src/moorings/client/", "src/moorings/flight/", "src/moorings/mcp/")
"""Rooms in which RELATIVES are not searched yet."""
CODE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[^\n]*$|`[^`\n]+`|\]\([^)\s]*\)", re.MULTILINE | re.DOTALL)


def blank(match: re.Match[str]) -> str:
    """The match without its text; lines stay."""
    return "\n" * match[0].count("\n") or "`"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file, with the number of its first line."""
    content = path.read_text()
    if path.suffix == ".md":
        yield 1, content
        return
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def findings(path: Path) -> Iterator[str]:
    """One line for each line of a file with a phrase that has a plainer wording."""
    name = path.relative_to(ROOT).as_posix()
    patterns = PATTERNS if name.startswith(UNREAD) else PATTERNS | RELATIVES
    for first, text in texts(path):
        for number, line in enumerate(CODE.sub(blank, text).split("\n"), first):
            for pattern, better in patterns.items():
                if found := re.search(pattern, line):
                    yield f'{name}:{number}: "{found[0].strip()}": {better}'
                    break


def main() -> int:
    """Print every finding; 1 if there are any."""
    paths = [path for pattern in (*PAGES, SOURCE) for path in sorted(ROOT.glob(pattern))]
    found = [line for path in paths for line in findings(path)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
