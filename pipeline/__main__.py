"""`python -m pipeline STAGE` is `refocus STAGE`."""

import sys

from pipeline.cli import main

sys.exit(main())
