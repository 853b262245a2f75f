"""The one door to pyroute2: its messages, without the rest of the package.

Importing any part of pyroute2 runs the package's own start, which loads NDB, IPDB, conntrack and 80
more modules that nobody here uses: 8 MiB of memory that stay, and a third of the time that a step's
process takes to begin. So the package is found and not started; its parts load as ever.
"""

from __future__ import annotations

import importlib.util
import sys

_found = importlib.util.find_spec("pyroute2")
if _found is not None and "pyroute2" not in sys.modules:
    sys.modules["pyroute2"] = importlib.util.module_from_spec(_found)

from pyroute2.netlink import (  # noqa: E402
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
)
from pyroute2.netlink.diag import (  # noqa: E402
    SOCK_DIAG_BY_FAMILY,
    inet_diag_msg,
    inet_diag_req,
)
from pyroute2.netlink.rtnl import (  # noqa: E402
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWLINK,
    RTM_SETLINK,
    RTMGRP_LINK,
)
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # noqa: E402
from pyroute2.netlink.rtnl.marshal import MarshalRtnl  # noqa: E402

__all__ = [
    "NLMSG_DONE",
    "NLMSG_ERROR",
    "NLM_F_ACK",
    "NLM_F_DUMP",
    "NLM_F_REQUEST",
    "RTMGRP_LINK",
    "RTM_DELLINK",
    "RTM_GETLINK",
    "RTM_NEWLINK",
    "RTM_SETLINK",
    "SOCK_DIAG_BY_FAMILY",
    "MarshalRtnl",
    "ifinfmsg",
    "inet_diag_msg",
    "inet_diag_req",
]
