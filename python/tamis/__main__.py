"""The command line, `tamis` or `python -m tamis`."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Becomes the program, whose exit codes and signals are then those of this process."""
    program = Path(__file__).parent / "bin" / "tamis"
    os.execv(program, [str(program), *sys.argv[1:]])


if __name__ == "__main__":
    main()
