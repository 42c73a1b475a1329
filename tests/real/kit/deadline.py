"""Waiting for a condition, never for a time: the only place where the checks sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Short beside every deadline, long beside the cost of asking.
PAUSE_SECONDS = 0.05


def wait_until(what: str, condition: Callable[[], T], seconds: float, pause: float = PAUSE_SECONDS) -> T:
    """Asks again and again until the answer is true, and returns it; fails by name when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(pause)


def throughout(seconds: float, look: Callable[[], None], pause: float = 0.25) -> int:
    """Looks again and again for so long, and returns how often; the look itself says what must hold."""
    deadline = time.monotonic() + seconds
    looks = 0
    while time.monotonic() < deadline:
        look()
        looks += 1
        time.sleep(pause)
    return looks
