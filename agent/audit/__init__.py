"""`nodemend cni audit`: which settings of this host expose the CNI, and what would be lost by them.

Nothing but the standard library, so that it runs on a node before anything is installed there; and
nothing that changes anything.
"""
