"""`python -m refocus STAGE` is `refocus STAGE`."""

import sys

from refocus.cli.main import main

sys.exit(main())
