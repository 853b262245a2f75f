"""`python -m agent` is `nodemend`."""

import sys

from agent.cli import main

sys.exit(main())
