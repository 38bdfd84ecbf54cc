"""Free loopback ports that stay free while the server they are for is not running."""

import fcntl
import socket
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

# Below the range from which Linux gives ports to outgoing connections (32768 and up): a port from there could be
# taken by any client while its server is restarted.
FIRST, LAST = 20_000, 32_000

_LAST_GIVEN = Path(tempfile.gettempdir()) / "baton-rig-last-port"
"""Shared by all test processes of the machine: each port is given once, until the range has been gone through."""


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 on which nothing listens, and which nobody else was given of late."""
    found: list[int] = []
    with _LAST_GIVEN.open("a+") as file, ExitStack() as held:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or FIRST)
        while len(found) < count:
            port = port + 1 if port < LAST else FIRST
            with suppress(OSError):
                candidate = held.enter_context(socket.socket())
                candidate.bind(("127.0.0.1", port))
                found.append(port)
        file.truncate(0)
        file.write(str(port))
    return found
