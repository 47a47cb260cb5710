"""Faults of the network between the program and its store, while it runs."""

import random
import time

from generators.faults.program import Program
from generators.faults.proxy import Proxy, Way

_SOON_S = 20.0  # within which the program reaches for its store
_LASTS_S = (0.5, 1.2)  # less than the harness's patience
_REST_S = 2.0  # longer than the program waits between two attempts: it gets through before the next fault
_WAYS: dict[str, Way] = {
    "store refuses": "refuse",
    "store stalls": "stall",
    "store cuts": "cut",
    "store slow": "slow",
    "store unavailable": "unavailable",
}
_GONE: tuple[Way, ...] = ("refuse", "stall", "unavailable")
NETWORK = (*_WAYS, "store gone")


def disturb(name: str, run: Program, proxy: Proxy, rng: random.Random) -> str | None:
    """Have the network fail, for a while or until the run has ended; return the evidence, or None.

    It counts where connections were hit: the program reached for its store, and did not get what it wanted.
    """
    way = _WAYS.get(name) or rng.choice(_GONE)
    begin = time.monotonic()
    proxy.behave(way)
    if not run.until(lambda: proxy.hits > 0, _SOON_S):
        proxy.behave("pass")
        return None
    if name not in _WAYS:
        return f"{way} from then on, {proxy.hits} connections hit at once"
    time.sleep(rng.uniform(*_LASTS_S))
    hits, lasted = proxy.hits, time.monotonic() - begin
    proxy.behave("pass")
    time.sleep(_REST_S)
    return f"{way}: {hits} connections hit in {lasted:.1f} s"
