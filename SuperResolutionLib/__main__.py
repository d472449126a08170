"""``python -m SuperResolutionLib`` is the ``superresolution`` program; Slicer's own Python runs it so."""

import sys

from SuperResolutionLib.command_line.program import main

if __name__ == "__main__":
    sys.exit(main())
