#!/usr/bin/env python3
"""Runs ONNX's node tests over tamis.backend and says what passes, operator by operator.

    .venv/bin/python scripts/conformance.py                       # all, as a table
    .venv/bin/python scripts/conformance.py --filter resize -v    # those whose name matches, one by one
    .venv/bin/python scripts/conformance.py --document docs/operators.md
    .venv/bin/python scripts/conformance.py --device cuda --precision f16

On a GPU what it has no kernels for runs on the CPU; the report says which tests are the GPU's alone and lists the rest.

Every case runs in a worker process, so that one that crashes or hangs is counted and ends nothing else. Wants the
target tamis_python built: `ninja -C build tamis_python`.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import re
import signal
import sys
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import onnx_backend_excludes  # noqa: E402
import onnx_cases  # noqa: E402
from onnx_cases import Case, Verdict  # noqa: E402

KINDS = ("passed", "refused", "wrong", "crashed")


def _work(cases: list[Case], connection: Connection, options: argparse.Namespace) -> None:
    sys.path.insert(0, str(Path(options.build, "python").resolve()))
    while (index := connection.recv()) is not None:
        connection.send(onnx_cases.run(cases[index], options.device.upper(), options.precision))


class Worker:
    """A process that runs one case at a time."""

    def __init__(self, cases: list[Case], options: argparse.Namespace) -> None:
        self.connection, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_work, args=(cases, other, options), daemon=True)
        self.process.start()
        other.close()
        self.index: int | None = None
        self.deadline = 0.0

    def start(self, index: int, timeout: float) -> None:
        self.index, self.deadline = index, time.monotonic() + timeout
        self.connection.send(index)

    def kill(self) -> str:
        self.process.kill()
        self.process.join()
        return "runs too long"

    def death(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"


def run_all(cases: list[Case], options: argparse.Namespace) -> list[Verdict]:
    verdicts: list[Verdict] = [Verdict("crashed", "not run")] * len(cases)
    todo = collections.deque(range(len(cases)))
    workers: list[Worker] = []
    while todo or workers:
        while todo and len(workers) < options.jobs:
            workers.append(Worker(cases, options))
            workers[-1].start(todo.popleft(), options.timeout)
        ready = wait([worker.connection for worker in workers], timeout=1)
        for worker in list(workers):
            if worker.connection in ready:
                try:
                    verdicts[worker.index] = worker.connection.recv()
                except EOFError:
                    verdicts[worker.index] = Verdict("crashed", worker.death())
                    workers.remove(worker)
                    continue
                if todo:
                    worker.start(todo.popleft(), options.timeout)
                else:
                    worker.connection.send(None)
                    worker.process.join()
                    workers.remove(worker)
            elif time.monotonic() > worker.deadline:
                verdicts[worker.index] = Verdict("crashed", worker.kill())
                workers.remove(worker)
    return verdicts


def report_fallbacks(cases: list[Case], verdicts: list[Verdict]) -> None:
    """What ran on the CPU in a run on another device: reasons with the operators they concern."""
    alone = sum(verdict.kind == "passed" and not verdict.notices for verdict in verdicts)
    passed = sum(verdict.kind == "passed" for verdict in verdicts)
    print(f"\n{alone} of {passed} passed on the device alone; in the others the CPU ran:")
    reasons: dict[str, set[str]] = collections.defaultdict(set)
    for case, verdict in zip(cases, verdicts):
        for notice in verdict.notices if verdict.kind == "passed" else ():
            reasons[_short(re.sub(r"'[^']*' ", "", notice), 200)].add(case.operator)
    for reason in sorted(reasons, key=lambda key: -len(reasons[key])):
        names = sorted(reasons[reason])
        print(f"  {reason}  ({', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''})")


def _short(reason: str, width: int = 150) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= width else line[: width - 3] + "..."


def report(cases: list[Case], verdicts: list[Verdict], verbose: bool) -> None:
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    reasons: dict[str, dict[str, list[str]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for case, verdict in zip(cases, verdicts):
        table[case.operator][verdict.kind] += 1
        if verdict.kind != "passed":
            reasons[case.operator][f"{verdict.kind}: {_short(verdict.reason)}"].append(case.name)
        if verbose:
            print(f"{verdict.kind:<8} {case.name}" + (f"\n    {verdict.reason}" if verdict.reason else ""))
    print(f"{'operator':<28}" + "".join(f"{kind:>9}" for kind in KINDS))
    for operator in sorted(table):
        print(f"{operator:<28}" + "".join(f"{table[operator][kind] or '.':>9}" for kind in KINDS))
        if not verbose:
            for reason, names in reasons[operator].items():
                print(f"    {len(names)} {reason}  ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})")
    total = collections.Counter(verdict.kind for verdict in verdicts)
    print(f"{'all ' + str(len(cases)):<28}" + "".join(f"{total[kind]:>9}" for kind in KINDS))


def _dtypes(case: Case) -> set[str]:
    """Element types of a case's inputs and outputs."""
    found: set[str] = set()

    def add(item: object) -> None:
        if isinstance(item, (list, tuple)):
            for element in item:
                add(element)
        elif hasattr(item, "dtype"):
            found.add("string" if item.dtype.kind in "OUST" else str(item.dtype))

    for data_set in case.data_sets:
        for side in data_set:
            add(side)
    return found


def _ranges(numbers: set[int]) -> str:
    """`{7, 8, 9, 13}` as "7-9, 13"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def document(cases: list[Case], verdicts: list[Verdict], build: str) -> str:
    """docs/operators.md."""
    sys.path.insert(0, str(Path(build, "python").resolve()))
    from tamis import _tamis

    since = {(domain, name): opset for domain, name, opset in _tamis.operators()}
    rows: dict[tuple[str, str], list[tuple[Case, Verdict]]] = collections.defaultdict(list)
    total = {"": collections.Counter(), onnx_cases.ML: collections.Counter()}
    for case, verdict in zip(cases, verdicts):
        rows[case.domain, case.operator].append((case, verdict))
        total[case.domain][verdict.kind] += 1

    def counts(domain: str) -> str:
        kinds = total[domain]
        return (
            f"of {kinds.total()} tests {kinds['passed']} pass and {kinds['refused']} are refused with a reason; "
            f"{kinds['wrong']} are wrong, {kinds['crashed']} crash"
        )

    lines = [
        "# Operators",
        "",
        f"Made by `scripts/conformance.py` from a run of the node tests of onnx {onnx_cases.onnx.__version__} over "
        f"`tamis.backend`, without those of training and of `ai.onnx.ml`: {counts('')}.",
        "",
        f"Of `ai.onnx.ml`, the operators of classic models (docs/export.md, scikit-learn), {counts(onnx_cases.ML)}.",
        "",
        "*From* is the oldest opset whose meaning of the operator is known, up to the newest of all; an operator "
        "without one is a function that is expanded. *Tested* are the opsets, and *element types* those, of the tests "
        "that pass. Tests of `..._expanded` functions count with the function.",
        "",
        "| operator | from | tested | element types | passed | refused |",
        "|---|---|---|---|---|---|",
    ]
    for key in sorted(rows):
        passed = [case for case, verdict in rows[key] if verdict.kind == "passed"]
        dtypes = sorted(set().union(*[_dtypes(case) for case in passed]))
        opsets = _ranges({case.opset for case in passed})
        refused = sum(verdict.kind != "passed" for _, verdict in rows[key])
        cells = [".".join(filter(None, key)), since.get(key, ""), opsets, ", ".join(dtypes), len(passed), refused or ""]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "## What is refused, and why", ""]
    for key in sorted(rows):
        reasons: dict[str, list[str]] = collections.defaultdict(list)
        for case, verdict in rows[key]:
            if verdict.kind != "passed":
                reasons[why(case, verdict)].append(f"`{case.name}`")
        for reason, names in reasons.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            lines.append(f"- **{key[1]}**: {reason} ({', '.join(names[:3])}{more})")
    return "\n".join(lines) + "\n"


def why(case: Case, verdict: Verdict) -> str:
    """The reason on the list of what is deliberately out, or what the refusal says."""
    entry = onnx_backend_excludes.find(case.name)
    return entry.reason if entry else _short(verdict.reason.partition("What may help")[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default="", help="regular expression that names of tests or operators must match")
    parser.add_argument("--build", default=str(ROOT / "build"), help="build folder with python/tamis")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--precision", help="f32 (the default) or f16, with wider tolerances")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=120, help="seconds a case may take")
    parser.add_argument("--json", help="file for the verdicts")
    parser.add_argument("--document", help="file for the table of operators (of a run without --filter)")
    parser.add_argument("-v", "--verbose", action="store_true", help="every test with its whole reason")
    options = parser.parse_args()
    if not list(Path(options.build, "python", "tamis").glob("_tamis*.so")):
        parser.error(f"{options.build} has no Python extension; `ninja -C {options.build} tamis_python` builds it")
    wanted = re.compile(options.filter, re.IGNORECASE)
    cases = [case for case in onnx_cases.load() if wanted.search(case.name) or wanted.search(case.operator)]
    if not cases:
        parser.error(f"no test matches '{options.filter}'")
    verdicts = run_all(cases, options)
    report(cases, verdicts, options.verbose)
    if options.device != "cpu":
        report_fallbacks(cases, verdicts)
    if options.json:
        rows = [
            {
                "name": case.name,
                "operator": case.operator,
                "opset": case.opset,
                "kind": verdict.kind,
                "reason": verdict.reason,
                "notices": verdict.notices,
            }
            for case, verdict in zip(cases, verdicts)
        ]
        Path(options.json).write_text(json.dumps(rows, indent=1))
    if options.document:
        Path(options.document).write_text(document(cases, verdicts, options.build))
    return 1 if any(verdict.kind in ("wrong", "crashed") for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
