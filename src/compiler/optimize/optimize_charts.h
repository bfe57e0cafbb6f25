// The drawings of the report on `optimize`.
#pragma once

#include <string>

#include "src/compiler/optimize/optimize.h"

namespace tamis {

std::string EscapeHtml(const std::string& text);
// Every trial by its time and its error; the budget as a line, the frontier joined, the chosen one marked.
std::string TradeChart(const OptimizeResult& result);
// What every layer costs alone, as int8, bf16 and 2:4, most first: 1 - cosine of the outputs, and beside it, where
// there are class scores, their Kullback-Leibler divergence.
std::string SensitivityChart(const OptimizeResult& result);
// Error by its two causes, and of both.
std::string SplitChart(const OptimizeResult& result);

}  // namespace tamis
