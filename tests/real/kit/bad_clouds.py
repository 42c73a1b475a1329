"""Endpoints that are no cloud."""

import socket
import struct
import threading
from collections.abc import Callable

from kit.programs import Cleanup
from kit.web import free_port

# What a web server would say to a client that speaks HTTP/2 without asking.
NONSENSE = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nno\r\n" * 3


def refuses(_: Cleanup) -> int:
    """A port on which nobody listens."""
    return free_port()


def never_answers(cleanup: Cleanup) -> int:
    """Accepts, reads what comes, and says nothing."""

    def listen_only(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    return listening(cleanup, listen_only)


def talks_nonsense(cleanup: Cleanup) -> int:
    """Answers everything, but not in HTTP/2."""
    return listening(cleanup, lambda connection: connection.sendall(NONSENSE))


def resets(cleanup: Cleanup) -> int:
    """Accepts, and breaks the connection at once."""

    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return listening(cleanup, reset)


def listening(cleanup: Cleanup, talk: Callable[[socket.socket], None]) -> int:
    """A server that talks so to each connection and then closes it, until the test is over."""
    listener = socket.create_server(("127.0.0.1", 0))
    cleanup(listener.close)

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                talk(connection)
            except OSError:
                """The exporter went first."""

    def all_of_them() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=all_of_them, daemon=True).start()
    return listener.getsockname()[1]
