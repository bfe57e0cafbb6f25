#include "src/compiler/optimize/optimize_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/base/request_problems.h"

namespace tamis {
namespace {

constexpr double kOneSided95 = 1.645;

// The bad ends of the intervals.
double WorstAgreement(const Quality& quality) {
  return quality.agreement - kOneSided95 * quality.agreement_error;
}

double WorstDrop(const Quality& quality) {
  const double worst = quality.drop + kOneSided95 * quality.drop_error;
  return quality.mixed ? std::max(worst, quality.mixed_drop + kOneSided95 * quality.mixed_drop_error) : worst;
}

}  // namespace

std::string CountedText(const Quality& quality) {
  return quality.labelled ? fmt::format("counted {:.2f}", quality.counted_drop)
                          : fmt::format("{:.2f} % of the answers change", quality.counted_drop);
}

bool Budget::Holds(const Quality& quality) const {
  if (min_agreement > 0 && WorstAgreement(quality) < min_agreement) return false;
  return max_drop < 0 || WorstDrop(quality) <= max_drop;
}

int64_t Budget::SamplesToHold(const Quality& quality, int64_t samples) const {
  if (Holds(quality)) return 0;
  double times = 1;  // as many samples; errors shrink with the root of it
  const auto need = [&](double room, double error) {
    const double widest = kOneSided95 * error;
    times = room <= 0 ? std::numeric_limits<double>::infinity() : std::max(times, std::pow(widest / room, 2));
  };
  if (min_agreement > 0) need(quality.agreement - min_agreement, quality.agreement_error);
  if (max_drop >= 0) {
    need(max_drop - quality.drop, quality.drop_error);
    if (quality.mixed) need(max_drop - quality.mixed_drop, quality.mixed_drop_error);
  }
  constexpr double kMost = 30;  // beyond that it is hardly within the budget
  return times <= kMost ? static_cast<int64_t>(std::ceil(times * static_cast<double>(samples))) : 0;
}

double Budget::Use(const Quality& quality) const {
  constexpr double kLeast = 1e-6;  // of a budget: one of nothing is never held by what rounds
  double use = 0;
  if (min_agreement > 0) use = std::max(use, (1 - WorstAgreement(quality)) / std::max(1 - min_agreement, kLeast));
  if (max_drop >= 0) use = std::max(use, WorstDrop(quality) / std::max(max_drop, kLeast));
  return use;
}

double Budget::Excess(const Quality& quality) const {
  return Holds(quality) ? 0 : std::max(0.0, Use(quality) - 1);
}

std::string Budget::Text() const {
  std::string text;
  if (min_agreement > 0) text = fmt::format("mean cosine of at least {:g}", min_agreement);
  if (max_drop >= 0) {
    text += fmt::format("{}at most {:g} points of top-1", text.empty() ? "" : " and ", max_drop);
  }
  return text;
}

std::string Budget::Describe(const Quality& quality) const {
  std::string text;
  if (min_agreement > 0) text = fmt::format("agreement {:.4f} +- {:.4f}", quality.agreement, quality.agreement_error);
  if (max_drop >= 0) {
    const std::string mixed =
        quality.mixed ? fmt::format(", on mixtures {:.2f} +- {:.2f}", quality.mixed_drop, quality.mixed_drop_error)
                      : "";
    text += fmt::format("{}drop {:.2f} +- {:.2f} points ({}{})", text.empty() ? "" : ", ", quality.drop,
                        quality.drop_error, CountedText(quality), mixed);
  }
  return text;
}

Status CheckBudget(const Budget& budget) {
  RequestProblems problems;
  problems.Need(budget.min_agreement >= 0 && budget.min_agreement <= 1,
                "--min-agreement is {}; a mean cosine is above 0 and at most 1", budget.min_agreement);
  problems.Need(!std::isnan(budget.max_drop) && budget.max_drop <= 100,
                "--max-drop is {}; it takes points of top-1, 0 to 100", budget.max_drop);
  return problems.status();
}

}  // namespace tamis
