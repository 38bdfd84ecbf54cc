"""Free loopback ports that stay free while the server they are for is stopped."""

import random
import socket
from contextlib import ExitStack, suppress

# Below the range from which Linux gives ports to outgoing connections (32768 and up): a port from there could be
# taken by any client while its server is restarted.
FIRST, LAST = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 on which nothing listens."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            with suppress(OSError):
                candidate = held.enter_context(socket.socket())
                candidate.bind(("127.0.0.1", random.randint(FIRST, LAST)))  # noqa: S311
                found.append(candidate.getsockname()[1])
    return found
