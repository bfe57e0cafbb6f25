#include "src/compiler/optimize/optimize_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tamis {
namespace {

// What is drawn upwards: points of top-1 where only these are asked for, else 1 - cosine.
bool ByDrop(const OptimizeResult& result) {
  return result.budget.min_agreement <= 0;
}

// The worse of the drops on samples and on their mixtures, since the budget is to hold on both.
double DropOf(const Quality& quality) {
  return quality.mixed ? std::max(quality.drop, quality.mixed_drop) : quality.drop;
}

double ErrorOf(const OptimizeResult& result, const OptimizeTrial& trial) {
  return ByDrop(result) ? DropOf(trial.quality) : 1 - trial.quality.agreement;
}

double MsOf(const OptimizeTrial& trial) {
  return trial.seconds * 1e3;
}

// 1, 2 or 5 times a power of ten, for about `steps` steps.
double NiceStep(double range, int steps) {
  const double raw = std::max(range, 1e-12) / steps, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

// The multiple of the step that is meant; never -0.
double Tick(double value, double step) {
  return std::round(value / step) * step + 0.0;
}

struct Plot {
  double left = 78, right = 24, top = 16, bottom = 46, width = 900, height = 380;
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
  double X(double x) const { return left + (x - x_low) / (x_high - x_low) * (width - left - right); }
  double Y(double y) const { return height - bottom - (y - y_low) / (y_high - y_low) * (height - top - bottom); }
};

// Places texts beside marks so that none covers another one or a mark.
class Labels {
 public:
  void Mark(double x, double y) { taken_.push_back({x - 6, y - 6, x + 6, y + 6}); }
  // Empty if all places around (x, y) are taken: the mark's title still says what it is.
  std::string Beside(double x, double y, const std::string& text, const char* kind) {
    const double width = 7.0 * static_cast<double>(text.size());
    for (const double dy : {-6.0, 16.0, -20.0, 30.0, -34.0, 44.0}) {
      for (const double dx : {8.0, -8 - width}) {
        const Box box = {x + dx, y + dy - 10, x + dx + width, y + dy + 1};
        if (std::any_of(taken_.begin(), taken_.end(), [&](const Box& other) { return box.Meets(other); })) continue;
        taken_.push_back(box);
        return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", kind, x + dx, y + dy, text);
      }
    }
    return "";
  }

 private:
  struct Box {
    double left, top, right, bottom;
    bool Meets(const Box& other) const {
      return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
    }
  };
  std::vector<Box> taken_;
};

std::string Axes(const Plot& plot, const std::string& x_title, const std::string& y_title) {
  std::string svg;
  const double x_step = NiceStep(plot.x_high - plot.x_low, 8), y_step = NiceStep(plot.y_high - plot.y_low, 6);
  for (double x = std::ceil(plot.x_low / x_step) * x_step; x <= plot.x_high; x += x_step) {
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>", plot.X(x),
                       plot.top, plot.height - plot.bottom);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>", plot.X(x),
                       plot.height - plot.bottom + 17, Tick(x, x_step));
  }
  for (double y = std::ceil(plot.y_low / y_step) * y_step; y <= plot.y_high; y += y_step) {
    svg += fmt::format("<line class=\"grid\" x1=\"{1}\" x2=\"{2}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>", plot.Y(y),
                       plot.left, plot.width - plot.right);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>", plot.left - 8, plot.Y(y) + 4,
                       Tick(y, y_step));
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                     (plot.left + plot.width - plot.right) / 2, plot.height - 8, x_title);
  svg += fmt::format("<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                     (plot.top + plot.height - plot.bottom) / 2, y_title);
  return svg;
}

}  // namespace

std::string EscapeHtml(const std::string& text) {
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

std::string TradeChart(const OptimizeResult& result) {
  Plot plot;
  double least = 1e30, most = 0, lowest = 0, highest = 0;
  for (const OptimizeTrial& trial : result.trials) {
    least = std::min(least, MsOf(trial));
    most = std::max(most, MsOf(trial));
    lowest = std::min(lowest, ErrorOf(result, trial));
    highest = std::max(highest, ErrorOf(result, trial));
  }
  const double budget = ByDrop(result) ? result.budget.max_drop : 1 - result.budget.min_agreement;
  highest = std::max({highest, budget, 1e-6});
  const double pad = std::max(0.05 * (most - least), 0.02 * most);
  plot.x_low = std::max(0.0, least - pad);
  plot.x_high = most + 2 * pad;
  plot.y_low = lowest - 0.05 * (highest - lowest);
  plot.y_high = highest + 0.1 * (highest - lowest);
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"time and error of every network that was tried\">",
      plot.width, plot.height);
  const bool mixed = std::any_of(result.trials.begin(), result.trials.end(),
                                 [](const OptimizeTrial& trial) { return trial.quality.mixed; });
  svg += Axes(plot, "ms at the profile's opt, sum of measured kernels",
              !ByDrop(result) ? "1 - mean cosine"
              : mixed         ? "points of top-1 lost, the worse of samples and mixtures"
                              : "points of top-1 lost");
  svg += fmt::format("<line class=\"budget\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", plot.left,
                     plot.width - plot.right, plot.Y(budget), plot.Y(budget));
  svg += fmt::format("<text class=\"muted\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">the budget</text>",
                     plot.width - plot.right - 4, plot.Y(budget) - 5);
  std::vector<const OptimizeTrial*> order;
  for (const OptimizeTrial& trial : result.trials) order.push_back(&trial);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->seconds < b->seconds; });
  std::string line;
  double best = 1e30;
  for (const OptimizeTrial* trial : order) {
    if (ErrorOf(result, *trial) >= best) continue;
    best = ErrorOf(result, *trial);
    line += fmt::format("{}{:.1f} {:.1f}", line.empty() ? "M" : "L", plot.X(MsOf(*trial)), plot.Y(best));
  }
  svg += fmt::format("<path class=\"frontier\" d=\"{}\"/>", line);
  Labels labels;
  for (const OptimizeTrial& trial : result.trials) labels.Mark(plot.X(MsOf(trial)), plot.Y(ErrorOf(result, trial)));
  if (const auto chosen = static_cast<size_t>(result.chosen); chosen < result.trials.size()) {
    const OptimizeTrial& trial = result.trials[chosen];
    svg += labels.Beside(plot.X(MsOf(trial)) + 5, plot.Y(ErrorOf(result, trial)), fmt::format("{} chosen", chosen + 1),
                         "strong");
  }
  for (size_t i = 0; i < result.trials.size(); ++i) {
    const OptimizeTrial& trial = result.trials[i];
    const double x = plot.X(MsOf(trial)), y = plot.Y(ErrorOf(result, trial));
    const bool chosen = static_cast<int>(i) == result.chosen;
    const std::string title = fmt::format("<title>{}: {:.3f} ms, {}{}</title>", EscapeHtml(trial.label), MsOf(trial),
                                          ByDrop(result) ? fmt::format("{:.2f} points", DropOf(trial.quality))
                                                         : fmt::format("mean cosine {:.4f}", trial.quality.agreement),
                                          trial.holds ? ", holds" : ", does not hold");
    if (!chosen) svg += labels.Beside(x, y, std::to_string(i + 1), "muted");
    const char* const kind = trial.holds ? "holds" : "misses";
    if (trial.uniform) {
      svg += fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"10\">{}</rect>", kind,
                         x - 5, y - 5, title);
    } else {
      svg += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\">{}</circle>", kind, x, y, title);
    }
    if (chosen) svg += fmt::format("<circle class=\"chosen\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"11\"/>", x, y);
  }
  return svg + "</svg>";
}

std::string SensitivityChart(const OptimizeResult& result) {
  constexpr int kKinds = 4;
  constexpr const char* kClass[kKinds] = {"int8", "sparse", "paired", "both"};  // int8, 2:4, paired, bf16
  struct Bars {
    const OptimizedLayer* layer;
    double errors[kKinds], divergences[kKinds];
  };
  const auto most = [](const double(&of)[kKinds]) { return *std::max_element(std::begin(of), std::end(of)); };
  std::vector<Bars> layers;
  double longest = 0, longest_divergence = 0;
  for (const OptimizedLayer& layer : result.layers) {
    const LayerRow& row = layer.row;
    constexpr auto kInt8 = static_cast<size_t>(LayerType::kInt8), kLow = static_cast<size_t>(LayerType::kBFloat16);
    const Bars bars = {
        &layer,
        {row.type_error[kInt8], row.pattern_error[1], row.pattern_error[2], row.type_error[kLow]},
        {row.type_divergence[kInt8], row.pattern_divergence[1], row.pattern_divergence[2], row.type_divergence[kLow]}};
    if (most(bars.errors) <= 0) continue;
    layers.push_back(bars);
    longest = std::max(longest, most(bars.errors));
    longest_divergence = std::max(longest_divergence, most(bars.divergences));
  }
  if (layers.empty()) return "<p>No layer can be changed with any gain, so none was measured.</p>";
  std::sort(layers.begin(), layers.end(),
            [&](const Bars& a, const Bars& b) { return most(a.errors) > most(b.errors); });
  const bool both = longest_divergence > 0;
  const double left = 330, width = both ? 215 : 480, second = 615;
  std::string svg;
  const auto draw = [&](double x, double y, double share, int kind, double value) {
    const double length = std::max(1.0, width * share);
    svg += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"7\"/>", kClass[kind], x, y,
                       length);
    svg += fmt::format("<text class=\"small\" x=\"{:.1f}\" y=\"{:.1f}\">{:.2g}</text>", x + length + 4, y + 7, value);
  };
  double y = 4;
  if (both) {
    svg += fmt::format("<text class=\"muted\" x=\"{}\" y=\"14\">1 - mean cosine</text>", left);
    svg += fmt::format("<text class=\"muted\" x=\"{}\" y=\"14\">Kullback-Leibler divergence, nats</text>", second);
    y = 24;
  }
  for (const Bars& bars : layers) {
    const double top = y;
    for (int kind = 0; kind < kKinds; ++kind) {
      if (bars.errors[kind] <= 0) continue;
      draw(left, y, bars.errors[kind] / longest, kind, bars.errors[kind]);
      if (both) draw(second, y, bars.divergences[kind] / longest_divergence, kind, bars.divergences[kind]);
      y += 9;
    }
    const std::string& name = bars.layer->name;
    const std::string shown = name.size() <= 48 ? name : name.substr(0, 20) + "..." + name.substr(name.size() - 25);
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 8, (top + y) / 2 + 3,
                       EscapeHtml(shown));
    y += 6;
  }
  return fmt::format("<svg viewBox=\"0 0 900 {:.0f}\" role=\"img\" aria-label=\"what each layer costs alone\">{}</svg>",
                     y + 6, svg);
}

std::string SplitChart(const OptimizeResult& result) {
  const struct {
    const char* label;
    const char* kind;
    double error;
  } bars[] = {{"2:4 alone", "paired", result.split.sparse},
              {"int8 alone", "int8", result.split.quantized},
              {"both, as built", "both", result.split.both}};
  double longest = 1e-12;
  for (const auto& bar : bars) longest = std::max(longest, bar.error);
  std::string svg = "<svg viewBox=\"0 0 900 84\" role=\"img\" aria-label=\"error by cause\">";
  double y = 6;
  for (const auto& bar : bars) {
    const double width = 480 * std::max(0.0, bar.error) / longest;
    svg += fmt::format("<text x=\"322\" y=\"{:.0f}\" text-anchor=\"end\">{}</text>", y + 13, bar.label);
    svg +=
        fmt::format("<rect class=\"{}\" x=\"330\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"17\"/>", bar.kind, y, width);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\">{:.5f}</text>", 336 + width, y + 13, bar.error);
    y += 26;
  }
  return svg + "</svg>";
}

}  // namespace tamis
