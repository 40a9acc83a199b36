"""`python -m lepton`, as launchers of several processes start it."""

import sys

from lepton.cli.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
