"""The form in which names are compared."""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """A name without differences of case and of Unicode spelling:

    NFKC, case-folded, NFKC again. Accents matter. The dot above (U+0307) that folding leaves after the i of `İ` is
    dropped, so that `istanbul` finds `İstanbul`.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return text.replace("i\u0307", "i")
