#include "src/server/protocol/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "src/ops/op_doubles.h"

namespace tamis {
namespace {

// As short as names the score among its type's values.
std::string ScoreText(double score, DType dtype) {
  return dtype == DType::kFloat64 ? fmt::format("{}", score) : fmt::format("{}", static_cast<float>(score));
}

}  // namespace

Result<Tensor> TopClasses(const Tensor& scores, int64_t count) {
  if (scores.rank() < 1) return UserError("a scalar has no classes");
  if (scores.dtype() == DType::kString) return UserError("strings are no scores");
  const std::vector<double> values = ReadDoubles(scores);
  const auto classes = static_cast<size_t>(scores.dims().back());
  const size_t top = std::min(static_cast<size_t>(count), classes);
  Dims dims = scores.dims();
  dims.back() = static_cast<int64_t>(top);
  Tensor named(DType::kString, dims);
  std::vector<size_t> order(classes);
  for (size_t row = 0; classes > 0 && row < values.size() / classes; ++row) {
    const double* score = values.data() + row * classes;
    std::iota(order.begin(), order.end(), size_t{0});
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                      [&](size_t a, size_t b) {
                        if (std::isnan(score[a]) || std::isnan(score[b])) {
                          return std::isnan(score[a]) == std::isnan(score[b]) ? a < b : std::isnan(score[b]);
                        }
                        return score[a] != score[b] ? score[a] > score[b] : a < b;
                      });
    for (size_t i = 0; i < top; ++i) {
      named.Data<std::string>()[row * top + i] =
          fmt::format("{}:{}", ScoreText(score[order[i]], scores.dtype()), order[i]);
    }
  }
  return named;
}

}  // namespace tamis
