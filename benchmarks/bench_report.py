"""What peers.py measured, as Markdown, JSON and a picture."""
import json
import math
from html import escape

COLOURS = {"tamis": "#1f6f54", "tamis 1 thread": "#8fb7a9", "onnxruntime": "#9aa5b1", "openvino": "#6f8fb8", "torch": "#d9a15b"}


def _versions(about):
    return ", ".join(f"{name} {version}" for name, version in about["versions"].items())


def _cell(row):
    if "error" in row:
        return f"error: {row['error'][:60]}"
    text = f"{row['ms']:.2f} ± {100 * row['spread'] / 2:.0f} %"
    return text + (" **wrong**" if row.get("wrong") else "")


def case_text(case):
    """One network's table for a terminal."""
    lines = [f"{case['network']} {case['shape']}", f"  {'row':<10} {'runtime':<14} {'ms':>9} {'±':>5} {'ratio':>6} {'differs':>9}"]
    for row in case["rows"]:
        if "error" in row:
            lines.append(f"  {row['row']:<10} {row['runtime']:<14} {row['error'][:100]}")
            continue
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        differs = f"{row['difference']:.1e}" if "difference" in row else "-"
        lines.append(f"  {row['row']:<10} {row['runtime']:<14} {row['ms']:>9.3f} {50 * row['spread']:>4.1f}% {ratio:>6} {differs:>9}"
                     + ("  WRONG" if row.get("wrong") else "") + (f"  {row['notes']}" if row.get("notes") else ""))
    return "\n".join(lines)


def markdown(result):
    about = result["machine"]
    lines = [f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads; {_versions(about)}. Milliseconds, median ± half the "
             "distance of the quartiles. Ratio: time of the best peer of the same precision (dense) over Tamis's; above 1 "
             "Tamis is faster. Random weights: speed only.", "",
             "| network | row | Tamis | ONNX Runtime | OpenVINO | PyTorch eager | ratio | differs from f32 |",
             "|---|---|---|---|---|---|---|---|"]
    for case in result["cases"]:
        for row in (r for r in case["rows"] if r["runtime"] == "tamis"):
            cells = [_cell(row)]
            for peer in ("onnxruntime", "openvino", "torch"):
                found = [r for r in case["rows"] if r["runtime"] == peer and r["row"] == row["row"]]
                cells.append(_cell(found[0]) if found else "")
            ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
            differs = f"{row['difference']:.1e}" if "difference" in row else ""
            lines.append(f"| {case['network']} {case['shape']} | {row['row']} | {' | '.join(cells)} | {ratio} | {differs} |")
    return "\n".join(lines) + "\n"


def plans_markdown(result):
    """Sizes and seconds of Tamis's rows beside ONNX Runtime's f32, and the 2:4 plans measured afresh against all-dense ones."""
    lines = ["", "Peak memory is of a Python process that loads the file and runs it once. Built in: with the timing cache as it "
             "was. Against all dense: the plan's time over that of the same network with dense kernels only, both measured "
             "afresh in turns; slower layers: of those with other kernels, the ones more than 3 % slower than their dense kernel; "
             "behind it how many of those with the same kernel on both sides seem to be, which is what measuring is worth.",
             "", "| network | row | engine MB | peak MB | of ONNX Runtime f32's | built in s | opened in s | 1 thread over all | "
             "against all dense | slower layers |", "|---|---|---|---|---|---|---|---|---|---|"]
    for case in result["cases"]:
        peer = next((row["peak_bytes"] for row in case["rows"]
                     if row["runtime"] == "onnxruntime" and row["row"] == "f32" and "peak_bytes" in row), None)
        for row in (r for r in case["rows"] if r["runtime"] == "tamis" and "ms" in r):
            check = row.get("check", {})
            share = f"{100 * row['peak_bytes'] / peer:.0f} %" if peer else ""
            slower = ", ".join(f"{layer['node']} {layer['ratio']:.2f}" for layer in check.get("slower", []))
            slower = f"{slower or 'none'} of {check['others']}" if "others" in check else ""
            if "same" in check:
                slower += f"; {check['same']['slower']} of {check['same']['nodes']}"
            scaling = f"{row['scaling']:.2f}" if "scaling" in row else ""
            lines.append(f"| {case['network']} {case['shape']} | {row['row']} | {row['engine_bytes'] / 1e6:.1f} | "
                         f"{row['peak_bytes'] / 1e6:.0f} | {share} | {row['build_seconds']:.1f} | {row['load_seconds']:.2f} | {scaling} | "
                         + (f"{check['whole']:.2f} | {slower} |" if "whole" in check
                            else f"{check.get('error', '')} | |"))
    return "\n".join(lines) + "\n"


def svg(result):
    """Bars of time relative to the best f32 peer of each network."""
    bars, y = [], 40
    for case in result["cases"]:
        timed = [row for row in case["rows"] if "ms" in row]
        peers = [row["ms"] for row in timed if row["compared"] == "f32" and row["runtime"] in ("onnxruntime", "openvino")]
        base = min(peers) if peers else max((row["ms"] for row in timed), default=1)
        bars.append(f'<text x="10" y="{y + 12}" font-weight="bold">{escape(case["network"])} {escape(case["shape"])}'
                    f'</text>')
        y += 20
        for row in timed:
            width = min(2.0, row["ms"] / base) * 260
            bars.append(f'<text x="190" y="{y + 11}" text-anchor="end">{escape(row["row"])} {row["runtime"]}</text>'
                        f'<rect x="196" y="{y}" width="{width:.1f}" height="13" fill="{COLOURS[row["runtime"]]}"/>'
                        f'<text x="{200 + width:.1f}" y="{y + 11}">{row["ms"]:.2f} ms</text>')
            y += 16
        y += 12
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="820" height="{y}" font-family="sans-serif" font-size="11">'
            f'<rect width="820" height="{y}" fill="white"/><text x="10" y="20" font-size="14">Time of one run, '
            f'{result["machine"]["threads"]} threads; the dashed line is the best f32 peer</text>'
            f'<line x1="456" y1="30" x2="456" y2="{y}" stroke="#888" stroke-dasharray="3 3"/>' + "".join(bars) + "</svg>\n")


def write(result, folder):
    (folder / "bench.json").write_text(json.dumps(result, indent=1))
    (folder / "bench.md").write_text(markdown(result) + plans_markdown(result))
    (folder / "bench.svg").write_text(svg(result))


def _score(row):
    """(what is drawn and named, its value) of a row of a trained network."""
    return ("top-1 %", row["top1"]) if "top1" in row else ("mean cosine", row["cosine"])


def trained_markdown(result):
    about = result["machine"]
    lines = [f"{about['cpu']}, {about['threads']} threads; {_versions(about)}. One sample a request; the same engine gives time and "
             "answers. Cosine is with ONNX Runtime's f32 answers. Int8 of the peers: ONNX Runtime's static quantisation with "
             "the same calibration samples.", "",
             "| network | row | runtime | ms | top-1 | cosine | file MB | peak MB | made in s |", "|---|---|---|---|---|---|---|---|---|"]
    for network in result["networks"]:
        name = f"{network['network']} ({network['test_samples']} test, {network['samples']} calibration samples)"
        for row in sorted(network["rows"], key=lambda row: row.get("ms", 1e9)):
            if "error" in row:
                lines.append(f"| {name} | {row['row']} | {row['runtime']} | error: {row['error'][:80]} | | | | | |")
                continue
            top1 = f"{row['top1']:.2f}" if "top1" in row else ""
            lines.append(f"| {name} | {row['row']} | {row['runtime']} | {row['ms']:.3f} ± {50 * row['spread']:.0f} % | {top1} | "
                         f"{row['cosine']:.4f} | {row['file_bytes'] / 1e6:.1f} | {row['peak_bytes'] / 1e6:.0f} | "
                         f"{row['fit_seconds']:.0f} |")
    return "\n".join(lines) + "\n"


def _front(rows):
    """The rows that no other is both faster and better than, fastest first."""
    front = []
    for row in sorted(rows, key=lambda row: row["ms"]):
        if not front or _score(row)[1] > _score(front[-1])[1]:
            front.append(row)
    return front


def _ticks(low, high):
    """1, 2 and 5 times powers of ten inside the range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= step * 10.0**power <= high]


def _picture(network, y0):
    """One network: points with numbers, the Pareto front between them, and a list of what the numbers are."""
    rows = sorted((row for row in network["rows"] if "ms" in row), key=lambda row: row["ms"])
    left, right, top, bottom = 70, 520, y0 + 46, y0 + 330
    fastest, slowest = rows[0]["ms"] / 1.2, 1.2 * rows[-1]["ms"]
    low, high = min(_score(row)[1] for row in rows), max(_score(row)[1] for row in rows)
    margin = 0.1 * (high - low or 1)
    low, high = low - margin, high + margin

    def x_of(ms):
        return left + (right - left) * math.log(ms / fastest) / math.log(slowest / fastest)

    def y_of(score):
        return bottom - (bottom - top) * (score - low) / (high - low)

    parts = [f'<text x="10" y="{y0 + 24}" font-size="14">{escape(network["network"])}: {_score(rows[0])[0]} against '
             f'milliseconds of one request</text>'
             f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#888"/>']
    for ms in _ticks(fastest, slowest):
        parts.append(f'<path d="M{x_of(ms):.1f} {bottom}v4" stroke="#888"/><text x="{x_of(ms):.1f}" y="{bottom + 16}" '
                     f'text-anchor="middle">{ms:g}</text>')
    for i in range(5):
        score = low + (high - low) * i / 4
        parts.append(f'<text x="{left - 6}" y="{y_of(score) + 4:.1f}" text-anchor="end">{score:.4g}</text>')
    line = " ".join(f"{x_of(row['ms']):.1f},{y_of(_score(row)[1]):.1f}" for row in _front(rows))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#333" stroke-dasharray="4 3"/>')
    for number, row in enumerate(rows, 1):
        x, y, colour = x_of(row["ms"]), y_of(_score(row)[1]), COLOURS[row["runtime"]]
        for cx, cy in ((x, y), (right + 24, top + 22 * number - 22)):
            parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="8" fill="{colour}" stroke="white"/><text x="{cx:.1f}" '
                         f'y="{cy + 4:.1f}" fill="white" text-anchor="middle">{number}</text>')
        parts.append(f'<text x="{right + 38}" y="{top + 22 * number - 18}">{escape(row["row"])}, {row["runtime"]}: '
                     f'{row["ms"]:.3f} ms, {_score(row)[1]:.4g}</text>')
    return parts, max(bottom + 40, top + 22 * len(rows) + 10)


def trained_svg(result):
    """Time (logarithmic) against accuracy of every trained network, one picture below the other."""
    parts, y = [], 0
    for network in result["networks"]:
        if any("ms" in row for row in network["rows"]):
            more, y = _picture(network, y)
            parts += more
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{y}" font-family="sans-serif" font-size="11">'
            f'<rect width="800" height="{y}" fill="white"/>' + "".join(parts) + "</svg>\n")


def write_trained(result, folder):
    (folder / "trained.json").write_text(json.dumps(result, indent=1))
    (folder / "trained.md").write_text(trained_markdown(result))
    (folder / "trained.svg").write_text(trained_svg(result))
