"""nodemend: keeps a k3s node's own plumbing in order."""

__version__ = "0.1.0"
