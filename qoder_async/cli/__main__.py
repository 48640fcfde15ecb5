"""``python -m qoder_async.cli``."""

import sys

from qoder_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
