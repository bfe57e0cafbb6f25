#include "src/compiler/measure/compare.h"

#include <algorithm>
#include <cmath>

namespace tamis {

Status OutputComparison::Add(const Tensor& a, const Tensor& b) {
  if (a.dims() != b.dims()) return UserError("shapes differ: {} and {}", ToString(a.dims()), ToString(b.dims()));
  const Tensor left = a.ToFloat32();
  const Tensor right = b.ToFloat32();
  const int64_t rows = b.rank() == 0 ? 1 : b.dim(0);
  const int64_t width = rows == 0 ? 0 : b.NumElements() / rows;
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = left.Data<float>() + r * width;
    const float* y = right.Data<float>() + r * width;
    double dot = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < width; ++i) {
      const double difference = static_cast<double>(x[i]) - y[i];
      // A NaN on one side only must show as an infinite error, not vanish in a comparison.
      const bool broken = std::isnan(difference) && !(std::isnan(x[i]) && std::isnan(y[i])) && x[i] != y[i];
      max_difference_ = std::max(max_difference_, broken ? INFINITY : std::abs(difference));
      max_reference_ = std::max(max_reference_, std::abs(static_cast<double>(y[i])));
      if (std::isfinite(difference)) square_difference_ += difference * difference;
      dot += static_cast<double>(x[i]) * y[i];
      xx += static_cast<double>(x[i]) * x[i];
      yy += static_cast<double>(y[i]) * y[i];
    }
    square_reference_ += yy;
    const double cosine = xx == 0 && yy == 0 ? 1 : xx == 0 || yy == 0 ? 0 : dot / std::sqrt(xx * yy);
    cosine_sum_ += cosine;
    cosine_square_sum_ += cosine * cosine;
    min_cosine_ = std::min(min_cosine_, cosine);
    if (b.rank() == 2 && width >= 2) {
      const auto top_x = std::max_element(x, x + width) - x;
      const auto top_y = std::max_element(y, y + width) - y;
      ++classified_;
      agreeing_ += top_x == top_y ? 1 : 0;
      if (top_x != top_y && static_cast<double>(y[top_y]) - y[top_x] > kMargin) ++clear_disagreements_;
    }
    ++rows_;
  }
  return {};
}

double OutputComparison::MaxRelativeError() const {
  return max_reference_ > 0 ? max_difference_ / max_reference_ : max_difference_;
}

double OutputComparison::RelativeRootError() const {
  return square_reference_ > 0 ? std::sqrt(square_difference_ / square_reference_) : std::sqrt(square_difference_);
}

double OutputComparison::MeanCosine() const {
  return rows_ > 0 ? cosine_sum_ / static_cast<double>(rows_) : 1;
}

double OutputComparison::MeanCosineError() const {
  if (rows_ < 2) return 0;
  const auto n = static_cast<double>(rows_);
  const double mean = cosine_sum_ / n;
  return std::sqrt(std::max(0.0, cosine_square_sum_ / n - mean * mean) / (n - 1));
}

double OutputComparison::TopOneAgreement() const {
  return classified_ > 0 ? static_cast<double>(agreeing_) / static_cast<double>(classified_) : -1;
}

std::vector<int64_t> TopOne(const Tensor& scores) {
  const Tensor wide = scores.ToFloat32();
  std::vector<int64_t> top;
  for (int64_t r = 0; r < scores.dim(0); ++r) {
    const float* row = wide.Data<float>() + r * scores.dim(1);
    top.push_back(std::max_element(row, row + scores.dim(1)) - row);
  }
  return top;
}

}  // namespace tamis
