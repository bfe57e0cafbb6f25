"""What peers.py measured, as Markdown, JSON and a picture."""
import json
from html import escape

COLOURS = {"tamis": "#1f6f54", "onnxruntime": "#9aa5b1", "openvino": "#6f8fb8", "torch": "#d9a15b"}


def _cell(row):
    if "error" in row:
        return f"error: {row['error'][:60]}"
    text = f"{row['ms']:.2f} ± {100 * row['spread'] / 2:.0f} %"
    return text + (" **wrong**" if row.get("wrong") else "")


def case_text(case):
    """One network's table for a terminal."""
    lines = [f"{case['network']} {case['shape']}", f"  {'row':<10} {'runtime':<12} {'ms':>9} {'±':>5} {'ratio':>6} {'differs':>9}"]
    for row in case["rows"]:
        if "error" in row:
            lines.append(f"  {row['row']:<10} {row['runtime']:<12} {row['error'][:100]}")
            continue
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        differs = f"{row['difference']:.1e}" if "difference" in row else "-"
        lines.append(f"  {row['row']:<10} {row['runtime']:<12} {row['ms']:>9.3f} {50 * row['spread']:>4.1f}% {ratio:>6} {differs:>9}"
                     + ("  WRONG" if row.get("wrong") else "") + (f"  {row['notes']}" if row.get("notes") else ""))
    return "\n".join(lines)


def markdown(result):
    about = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [f"{about['cpu']}, {about['cores']} cores, {about['threads']} threads; {versions}. Milliseconds, median ± half the "
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


def svg(result):
    """Bars of time relative to the best f32 peer of each network."""
    bars, y = [], 40
    for case in result["cases"]:
        timed = [row for row in case["rows"] if "ms" in row]
        peers = [row["ms"] for row in timed if row["compared"] == "f32" and row["runtime"] not in ("tamis", "torch")]
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
    (folder / "bench.md").write_text(markdown(result))
    (folder / "bench.svg").write_text(svg(result))
