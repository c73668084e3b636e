"""Names as they are compared."""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """A name without case and without spellings: NFKC, case-folded, NFKC again. Accents count.

    The dot above (U+0307) that folding leaves behind the i of `İ` is dropped, so that `istanbul` finds `İstanbul`.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return text.replace("i\u0307", "i")
