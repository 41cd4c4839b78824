"""``python -m nitari`` is ``nitari``."""

import sys

from nitari.cli import main

sys.exit(main())
