"""Files that are compiled for AVX2, AVX-512 or AMX define nothing that other files may use.

An inline function or a template's instance is a weak symbol in every object that contains it, and the linker keeps one
of them for the whole program: if that is the copy of such a file, the program dies on lesser processors, far away from
any kernel. Vector code therefore stands in unnamed namespaces, and what kernels share in files for any processor.
"""

import re
import subprocess
from pathlib import Path

import pytest


def weak_functions(archive):
    """(object, function) of every weak function in objects named as those for one instruction set are."""
    listed = subprocess.run(["nm", "-C", "-A", "--defined-only", archive], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        found = re.match(r"[^:]+:([^:]+\.o):[0-9a-f]* W (.+)", line)
        if found and re.search(r"_(avx2|avx512|avxvnni|vbmi|amx)\.cc\.o$", found[1]):
            yield found[1], found[2]


def test_no_function_of_ours_is_weak(tamis):
    archive = Path(tamis.program).parent / "libtamis_kernels.a"
    if not archive.exists():
        pytest.skip("not beside its build")
    found = list(weak_functions(archive))
    # A variable's own lambdas (a kernel's, a routine's) carry its name: no other file has them. Those of the standard
    # library are in every program's first objects, which are for any processor.
    own = [(file, name) for file, name in found if re.match(r"tamis::k\w+::\{lambda", name)]
    assert own  # the archive's names are as expected
    shared = [(file, name) for file, name in found if "tamis::" in re.sub(r"<.*", "", name) and (file, name) not in own]
    assert not shared
