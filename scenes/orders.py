"""Work orders in words: several wordings of one order, of which an episode gets one."""

from collections.abc import Sequence


def worded(english: Sequence[str], japanese: Sequence[str], by: float) -> dict[str, str]:
    """Return one of the wordings, the same in both languages.

    Args:
        english: the wordings.
        japanese: as many, in the same order.
        by: whole part decides; a figure of the episode in fine units, so that all wordings are as frequent.
    """
    pick = int(by) % len(english)
    return {"en": english[pick], "ja": japanese[pick]}
