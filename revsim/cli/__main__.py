"""`python -m revsim.cli`."""

import sys

from revsim.cli.main import main

sys.exit(main())
