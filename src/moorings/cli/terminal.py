"""Takes the terminal's foreground for this process alone, so that Ctrl-C does not also reach `make`."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator

STDIN = 0


@contextlib.contextmanager
def taken() -> Generator[None]:
    """Make this process the terminal's foreground group, as a shell does for its commands; undo that at the end.

    Ctrl-C reaches every process of the foreground group. `make` would end by it with an exit code of its own, although
    the service stops cleanly. Without a terminal it does nothing.
    """
    if not os.isatty(STDIN) or os.tcgetpgrp(STDIN) != os.getpgrp() or os.getpgrp() == os.getpid():
        yield
        return
    before = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else giving the terminal back would stop this process
    # after Ctrl-Z nobody could continue this process: `make` does not wait for it
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(STDIN, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(STDIN, before)
