#include "src/compiler/optimize/optimize_coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/optimize/optimize_charts.h"

namespace tamis {
namespace {

constexpr size_t kMostRows = 60;

// The distribution as bars. Roots, because most activations have a peak that would leave nothing else to be seen.
std::string HistogramSvg(const ValueRecord& record) {
  constexpr double kHeight = 22;
  uint64_t most = 0;
  for (const uint64_t bin : record.bins) most = std::max(most, bin);
  if (most == 0) return "";
  std::string bars;
  for (size_t i = 0; i < record.bins.size(); ++i) {
    if (record.bins[i] == 0) continue;
    const double share = static_cast<double>(record.bins[i]) / static_cast<double>(most);
    const double height = std::max(0.5, kHeight * std::sqrt(share));
    bars += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"2\" height=\"{:.1f}\"/>", 2 * i, kHeight - height, height);
  }
  return fmt::format(
      "<svg class=\"histogram\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"distribution of {}\">{}</svg>",
      2 * record.bins.size(), kHeight, EscapeHtml(record.name), bars);
}

}  // namespace

std::string CoverageHtml(const std::string& verdict, std::span<const ValueRecord> values) {
  std::string html;
  if (!verdict.empty()) html += "<p>" + EscapeHtml(verdict) + "</p>";
  std::vector<const ValueRecord*> order;
  for (const ValueRecord& record : values) order.push_back(&record);
  if (order.empty())
    return html + "<p>The engine keeps no record of a value: no input is float and none has codes.</p>";
  std::stable_sort(order.begin(), order.end(), [](const ValueRecord* a, const ValueRecord* b) {
    return a->input != b->input ? a->input : a->growth > b->growth;
  });
  html +=
      "<div class=\"wide\"><table><thead><tr><th class=\"t\" data-sort>value</th><th data-sort>samples</th>"
      "<th data-sort>lowest</th><th data-sort>highest</th><th data-sort>mean</th><th data-sort>deviation</th>"
      "<th data-sort>widened, %</th><th>distribution</th></tr></thead><tbody>";
  for (size_t i = 0; i < std::min(order.size(), kMostRows); ++i) {
    const ValueRecord& record = *order[i];
    html += fmt::format(
        "<tr><td class=\"t\">{}{}</td><td>{}</td><td>{:.4g}</td><td>{:.4g}</td><td>{:.3g}</td><td>{:.3g}</td>"
        "<td class=\"{}\">{:.1f}</td><td>{}</td></tr>",
        EscapeHtml(record.name), record.input ? ", input" : "", record.samples, record.low, record.high, record.mean,
        record.deviation, record.growth <= kSettledGrowth ? "yes" : "no", 100 * record.growth, HistogramSvg(record));
  }
  html += "</tbody></table></div>";
  if (order.size() > kMostRows) {
    html += fmt::format("<p class=\"muted\">{} more, all of them widened less.</p>", order.size() - kMostRows);
  }
  return html;
}

}  // namespace tamis
