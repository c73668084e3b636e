"""Being the one program that Ctrl-C reaches, when `make` started it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator

STDIN = 0


@contextlib.contextmanager
def taken() -> Generator[None]:
    """Take the terminal for this process alone, as a shell does for what it starts, and give it back at the end.

    A Ctrl-C reaches every process of the terminal's foreground group. `make` would end by it, with its exit code and
    not with that of the service, which stops as it should. Where there is no terminal, nothing is done.
    """
    if not os.isatty(STDIN) or os.tcgetpgrp(STDIN) != os.getpgrp() or os.getpgrp() == os.getpid():
        yield
        return
    before = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else giving the terminal back would stop this process
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # nobody would notice a Ctrl-Z: `make` does not wait for it
    os.setpgid(0, 0)
    os.tcsetpgrp(STDIN, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(STDIN, before)
