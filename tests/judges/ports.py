"""Ports for programs that have to be given one."""

import itertools
import os
import socket

# Below the ports that Linux gives to outgoing connections. Two runs at the same time start at different ones.
_FIRST, _COUNT = 20_000, 12_000
_numbers = itertools.count(os.getpid())


def free_port():
    """A port of this machine on which nobody listens. It is given away once in a run."""
    for number in itertools.islice(_numbers, _COUNT):
        port = _FIRST + number % _COUNT
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise SystemExit(f"no free port from {_FIRST} to {_FIRST + _COUNT - 1}")
