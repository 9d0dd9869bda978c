"""`python -m refocus STAGE` is `refocus STAGE`."""

import signal
import sys

from refocus.cli.main import main

signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the rules' shell ignores it, to outlive us, and hands that on
sys.exit(main())
