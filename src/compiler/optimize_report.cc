#include <fmt/format.h>

#include <algorithm>

#include "src/compiler/optimize.h"

namespace tamis {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2rem auto;padding:0 1rem;color:#1d2530}"
    "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}"
    "td,th{padding:.25rem .6rem;border-bottom:1px solid #dde3ea;text-align:right}"
    "td:first-child,th:first-child,td:last-child,th:last-child{text-align:left}"
    "svg{width:100%}text{font:12px system-ui;fill:#1d2530}.dense{fill:#9fb0c0}.sparse{fill:#2f7d6b}"
    "@media(prefers-color-scheme:dark){body{background:#12171d;color:#dde6ee}text{fill:#dde6ee}"
    "td,th{border-color:#33404c}}";

std::string Escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// A bar for each layer: its dense time, and inside it the 2:4 time where the layer was pruned.
std::string LayerChart(const std::vector<OptimizedLayer>& layers) {
  double longest = 1e-9;
  for (const OptimizedLayer& layer : layers) longest = std::max(longest, layer.time.dense_seconds);
  const double left = 330, width = 540;
  std::string svg =
      fmt::format("<svg viewBox=\"0 0 980 {}\" role=\"img\" aria-label=\"time per layer\">", 18 * layers.size() + 10);
  for (size_t i = 0; i < layers.size(); ++i) {
    const OptimizedLayer& layer = layers[i];
    const bool sparse = layer.report.pattern == "2:4";
    const size_t y = 18 * i + 4;
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", left - 8, y + 11,
                       Escape(layer.time.weight.substr(0, 52)));
    svg += fmt::format("<rect class=\"dense\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"13\"/>", left, y,
                       width * layer.time.dense_seconds / longest);
    if (sparse) {
      svg += fmt::format("<rect class=\"sparse\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"13\"/>", left, y,
                         width * layer.time.Best() / longest);
    }
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{:.3f} ms{}</text>",
                       left + width * layer.time.dense_seconds / longest + 5, y + 11, layer.time.dense_seconds * 1e3,
                       sparse ? fmt::format(" &#8594; {:.3f}", layer.time.Best() * 1e3) : "");
  }
  return svg + "</svg>";
}

}  // namespace

std::string OptimizeReportHtml(const Network& network, const OptimizeOptions& options, const OptimizeResult& result) {
  const auto sparse = std::count_if(result.layers.begin(), result.layers.end(),
                                    [](const OptimizedLayer& layer) { return layer.report.pattern == "2:4"; });
  const std::string budget = options.min_agreement > 0 ? fmt::format("agreement of at least {}", options.min_agreement)
                                                       : fmt::format("drop of at most {} points", options.max_drop);
  std::string html = fmt::format(
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>tamis optimize: {0}</title><style>{1}</style>"
      "<h1>{0}</h1><p>{2} of {3} layers are 2:4, computed in {4}. Budget: {5}. On {6} samples that nothing was fitted "
      "or "
      "chosen on: agreement {7:.4f}, drop {8:.2f} points; the budget {9}.</p>"
      "<p>Predicted time at the profile's opt: {10:.3f} ms, dense {11:.3f} ms in the same precision.</p>",
      Escape(network.file), kStyle, sparse, result.layers.size(), result.precision, budget, result.confirm_samples,
      result.confirm.agreement, result.confirm.drop, result.holds ? "holds" : "does not hold", result.predicted_ms,
      result.dense_ms);
  html += "<h2>Time per layer</h2><p>Grey: dense. Green: as 2:4, where it was pruned.</p>" + LayerChart(result.layers);
  html +=
      "<h2>Layers</h2><table><tr><th>layer</th><th>pattern</th><th>dense ms</th><th>2:4 ms</th><th>sensitivity</th>"
      "<th>output error</th><th>why dense</th></tr>";
  for (const OptimizedLayer& layer : result.layers) {
    html += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{:.4f}</td><td>{:.4f}</td><td>{:.5f}</td><td>{:.2f} %</td><td>{}</td></tr>",
        Escape(layer.time.weight), layer.report.pattern, layer.time.dense_seconds * 1e3,
        layer.time.sparse_seconds * 1e3, layer.sensitivity, 100 * layer.report.output_error,
        Escape(layer.report.reason));
  }
  html += "</table><h2>Trials</h2><table><tr><th>layers 2:4</th><th>agreement</th><th>drop</th><th>holds</th></tr>";
  for (const OptimizeTrial& trial : result.trials) {
    html += fmt::format("<tr><td>{}</td><td>{:.4f}</td><td>{:.2f}</td><td>{}</td></tr>", trial.layers,
                        trial.choose.agreement, trial.choose.drop, trial.holds ? "yes" : "no");
  }
  return html + "</table></html>\n";
}

}  // namespace tamis
