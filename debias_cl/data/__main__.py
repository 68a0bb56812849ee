"""`python -m debias_cl.data` (see `debias_cl.data_cli`)."""

import sys

from debias_cl.data_cli import main

if __name__ == "__main__":
    sys.exit(main())
