"""Debian's package descriptions as a search problem with answers.

apt's Translation-en index holds a one-line synopsis and a long description of every package. The synopsis is the query
and the long text the right answer: labels for free. The index comes through an apt configuration of the demo's own, so
that it works where the system switches translations off (as container images do), and needs no root.
"""

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    name: str
    synopsis: str
    text: str


def fetch_index(folder):
    """Path of the Translation-en file of the main archive, downloaded once into `folder`."""
    folder = Path(folder).resolve()
    lists = folder / "lists"
    found = sorted(lists.glob("*_main_i18n_Translation-en*"))
    if not found:
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        (folder / "cache").mkdir(exist_ok=True)
        command = ["apt-get", "-qq", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={folder / 'cache'}",
                   "-o", "Acquire::Languages=en", "-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1", "update"]
        result = subprocess.run(command, capture_output=True, text=True)
        found = sorted(lists.glob("*_main_i18n_Translation-en*"))
        if not found:
            raise SystemExit("demo: apt-get brought no Translation-en index. It said:\n" + result.stdout + result.stderr)
    return max(found, key=lambda path: path.stat().st_size)  # the release itself, not its updates


def read_packages(index_path):
    """Packages of the index with a real description, one for each distinct text, in the order of a hash of the name."""
    raw = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(index_path)], capture_output=True, check=True).stdout
    seen, packages = set(), []
    for paragraph in raw.decode("utf-8", "replace").split("\n\n"):
        name = re.search(r"^Package: (.+)$", paragraph, re.M)
        body = re.search(r"^Description-en: (.*)\n((?: .*\n?)*)", paragraph, re.M)
        if not name or not body:
            continue
        synopsis = body[1].strip()
        lines = [line.strip() for line in body[2].split("\n")]
        text = " ".join(line for line in lines if line not in ("", "."))
        if len(text) < 200 or len(synopsis) < 12 or re.search(r"transitional|dummy package|metapackage", synopsis, re.I):
            continue
        # Packages of one source often share most of their text; one of them is enough.
        key = text[:120]
        if key in seen:
            continue
        seen.add(key)
        packages.append(Package(name[1], synopsis, text))
    return sorted(packages, key=lambda p: hashlib.sha256(p.name.encode()).digest())


@dataclass(frozen=True)
class Split:
    calibration: list  # unlabelled: never queried, never in the corpus
    corpus: list       # what is searched
    queries: list      # indices into corpus whose synopsis is asked


def split(packages, corpus, queries, calibration=512):
    if len(packages) < calibration + corpus:
        raise SystemExit(f"demo: only {len(packages)} packages have a long description; {calibration + corpus} needed")
    return Split(packages[:calibration], packages[calibration : calibration + corpus], list(range(queries)))
