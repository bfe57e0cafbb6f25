"""The demo's table, its verdict, and the HTML report with pictures (SVG, no scripts, nothing loaded from elsewhere)."""

from html import escape

MRR_TOLERANCE = 0.01

COLUMNS = [
    ("", lambda r: r["label"], "<"),
    ("MRR@10", lambda r: f"{r['mrr']:.3f}", ">"),
    ("cosine", lambda r: f"{r['cosine']:.3f}", ">"),
    ("top-10", lambda r: f"{100 * r['overlap']:.0f} %", ">"),
    ("s16 p50", lambda r: f"{r['s16_p50']:.2f}", ">"),
    ("p99", lambda r: f"{r['s16_p99']:.2f}", ">"),
    ("s128 p50", lambda r: f"{r['s128_p50']:.2f}", ">"),
    ("p99", lambda r: f"{r['s128_p99']:.2f}", ">"),
    ("sent/s", lambda r: f"{r['throughput']:.0f}", ">"),
    ("file MB", lambda r: f"{r['bytes'] / 1e6:.1f}", ">"),
    ("peak MB", lambda r: f"{r['memory'] / 1e6:.0f}", ">"),
    ("int8", lambda r: f"{r['int8']}/{r['layers']}" if r["layers"] else "-", ">"),
    ("2:4", lambda r: f"{r['sparse']}/{r['layers']}" if r["layers"] else "-", ">"),
]


def table(results):
    cells = [[title for title, _, _ in COLUMNS]] + [[show(r) for _, show, _ in COLUMNS] for r in results]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    lines = ["  ".join(f"{cell:{align}{width}}" for cell, width, (_, _, align) in zip(row, widths, COLUMNS))
             for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:],
                      "cosine and top-10 against ONNX Runtime f32; latencies in ms at batch 1; sentences a second at "
                      "batch 32, 128 tokens; peak memory of the process that ran it"])


def answers(found):
    lines = []
    for question, (dense, ours) in found:
        lines.append(f'\n"{question}"\n  {"dense":<38}  optimised (* = another rank)')
        for rank, (a, b) in enumerate(zip(dense, ours), 1):
            mark = " " if a.name == b.name else "*"
            lines.append(f"  {rank}. {a.name[:34]:<35}{mark} {rank}. {b.name[:34]:<35} {b.synopsis[:50]}")
    return "\n".join(lines)


def verdict(results, optimized):
    dense = results[0]
    holding = [r for r in results if r["mrr"] >= dense["mrr"] - MRR_TOLERANCE]
    fastest = {key: min(holding, key=lambda r: r[key]) for key in ("s16_p50", "s128_p50")}
    measured = next(r for r in results if r["label"] == "Tamis optimize")
    parts = [f"{r['label']}, {r[key]:.2f} ms at {key[1:-4]} tokens ({dense[key] / r[key]:.1f} x {dense['label']})"
             for key, r in fastest.items()]
    return (f"Fastest within {MRR_TOLERANCE} MRR of dense: {' and '.join(parts)}. Tamis optimize: predicted "
            f"{optimized['predicted_ms']:.2f} ms, measured {measured['s128_p50']:.2f} ms at 128 tokens.")


def bars(results, key, title, unit, lower_is_better):
    """One horizontal bar chart as SVG."""
    width, left, step = 720, 210, 26
    largest = max(r[key] for r in results)
    best = (min if lower_is_better else max)(r[key] for r in results)
    parts = [f'<svg viewBox="0 0 {width} {step * len(results) + 34}" role="img" aria-label="{escape(title)}">',
             f'<text x="0" y="16" class="t">{escape(title)}</text>']
    for i, r in enumerate(results):
        y = 30 + step * i
        length = max(2, (width - left - 90) * r[key] / largest)
        kind = "ours" if r["label"].startswith("Tamis") else "peer"
        mark = " best" if r[key] == best else ""
        parts.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(r["label"])}</text>'
                     f'<rect x="{left}" y="{y}" width="{length:.1f}" height="18" class="{kind}"/>'
                     f'<text x="{left + length + 6:.1f}" y="{y + 14}" class="v{mark}">{r[key]:.3g} {unit}</text>')
    return "".join(parts) + "</svg>"


def picture(results):
    """Latency and quality as one stand-alone SVG file."""
    style = ("<style>text{font:13px system-ui,sans-serif;fill:#1d2530}.t{font-weight:600;font-size:15px}.ours{fill:#2f7d6b}"
             ".peer{fill:#9fb0c0}.best{font-weight:700}rect.page{fill:#fff}</style>")
    charts = [bars(results, "s128_p50", "MiniLM, one text of 128 tokens, 2 threads: milliseconds (median)", "ms", True),
              bars(results, "mrr", "Search quality: MRR@10 on 500 held-out packages", "", False)]
    height = 26 * len(results) + 44
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {height * 2 + 10}">{style}'
             f'<rect class="page" width="740" height="{height * 2 + 10}"/>']
    for i, chart in enumerate(charts):
        inner = chart[chart.index(">") + 1 : chart.rindex("</svg>")]
        parts.append(f'<g transform="translate(10,{10 + i * height})">{inner}</g>')
    return "".join(parts) + "</svg>\n"


STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2rem auto;padding:0 1rem;color:#1d2530}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}
th,td{padding:.3rem .55rem;text-align:right;border-bottom:1px solid #dde3ea}th:first-child,td:first-child{text-align:left}
svg{width:100%;margin:1rem 0}text{font:13px system-ui;fill:#1d2530}.t{font-weight:600;font-size:15px}
.ours{fill:#2f7d6b}.peer{fill:#9fb0c0}.best{font-weight:700}.changed{background:#fff3d6}
@media (prefers-color-scheme:dark){body{background:#12171d;color:#dde6ee}text{fill:#dde6ee}th,td{border-color:#33404c}
.changed{background:#4a3b12}}
"""


def html(results, found, line, optimized):
    head = "".join(f"<th>{escape(title)}</th>" for title, _, _ in COLUMNS)
    body = "".join("<tr>" + "".join(f"<td>{escape(show(r))}</td>" for _, show, _ in COLUMNS) + "</tr>" for r in results)
    blocks = []
    for question, (dense, ours) in found:
        lines = "".join(f'<tr{"" if a.name == b.name else " class=changed"}><td>{i}. {escape(a.name)}</td>'
                        f"<td>{escape(b.name)}</td><td>{escape(b.synopsis)}</td></tr>"
                        for i, (a, b) in enumerate(zip(dense, ours), 1))
        blocks.append(f"<h3>{escape(question)}</h3><table><tr><th>dense</th><th>optimised</th><th></th></tr>{lines}</table>")
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Tamis: search over Debian</title>'
            f"<style>{STYLE}</style><h1>Semantic search over Debian's packages</h1><p>{escape(line)}</p>"
            + bars(results, "s128_p50", "Latency, batch 1, 128 tokens (median, 2 threads)", "ms", True)
            + bars(results, "s16_p50", "Latency, batch 1, 16 tokens (median, 2 threads)", "ms", True)
            + bars(results, "throughput", "Sentences a second, batch 32", "/s", False)
            + bars(results, "mrr", "MRR@10 on 500 held-out packages", "", False)
            + bars([{**r, "mb": r["bytes"] / 1e6} for r in results], "mb", "File size", "MB", True)
            + f"<h2>Table</h2><table><tr>{head}</tr>{body}</table><h2>Questions, answered over HTTP</h2>"
            + "".join(blocks) + "</html>\n")
