"""The Linux whose answers the tests expect, and whether this computer has it.

TCP and UDP have answered the same since Linux 5.10.  AF_UNIX has changed in corners: urgent bytes, which of
two errors comes first, which options are refused.
"""

from __future__ import annotations

import platform

EXPECTED = "6.18"
IS_ANOTHER = ".".join(platform.release().split(".")[:2]) != EXPECTED
WHY = f"AF_UNIX answers as on Linux {EXPECTED}, and this is {platform.system()} {platform.release()}"
