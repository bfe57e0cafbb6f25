#!/usr/bin/env python3
"""Copies the licences of the Debian libraries that programs link, for a wheel that carries these libraries.

scripts/collect_licenses.py FOLDER PROGRAM... ARCHIVE.a...     writes FOLDER/<package>.txt; archives are part of the programs
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

# Part of every Linux; not carried.
SYSTEM = re.compile(r"linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|z)\.so")


def main() -> None:
    folder, archives = Path(sys.argv[1]), {name for name in sys.argv[2:] if name.endswith(".a")}
    programs = [name for name in sys.argv[2:] if name not in archives]
    folder.mkdir(parents=True, exist_ok=True)
    linked = subprocess.run(["ldd", *programs], check=True, capture_output=True, text=True).stdout
    paths = {match[1] for match in re.finditer(r"=> (/\S+)", linked)} | archives
    for path in sorted(paths):
        if SYSTEM.search(Path(path).name):
            continue
        # Debian knows its files by their names under /usr, where /lib is a link.
        for name in (path, str(Path(path).resolve()), "/usr" + path):
            owner = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
            if owner.returncode == 0:
                break
        else:
            sys.exit(f"{path} belongs to no Debian package: its licence is unknown")
        package = owner.stdout.split(":")[0]
        shutil.copyfile(f"/usr/share/doc/{package}/copyright", folder / f"{package}.txt")


main()
