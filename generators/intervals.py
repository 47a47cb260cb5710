"""Intervals of what was counted or measured on a sample."""

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def wilson(successes: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22:209); 0 to 1 where nothing was tried."""
    if not total:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / total
    middle, half = share + z**2 / (2 * total), z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, (middle - half) / (1 + z**2 / total)), min(1.0, (middle + half) / (1 + z**2 / total))
