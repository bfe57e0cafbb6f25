#include "src/sparsity/round_codes.h"

#include <algorithm>
#include <cmath>

#include "src/sparsity/product.h"

namespace tamis {
namespace {

constexpr int64_t kColumnsPerBlock = 128;
constexpr int kPasses = 3;  // a fourth changes little
constexpr double kLargestCode = 127;

double OnGrid(double x, double scale) {
  return scale * std::clamp(std::nearbyint(x / scale), -kLargestCode, kLargestCode);
}

// One pass over all columns. `free`: 1 where a weight may be other than zero.
void Descend(const Objective& objective, std::span<const float> scales, const std::vector<uint8_t>& free, RowMatrix& v,
             ThreadPool& pool) {
  const RowMatrix& hessian = objective.hessian();
  const std::vector<float>& hessian32 = objective.hessian32();
  const int64_t rows = v.rows(), columns = v.cols();
  RowMatrix descent = objective.Descent(v);
  for (int64_t begin = 0; begin < columns; begin += kColumnsPerBlock) {
    const int64_t end = std::min(begin + kColumnsPerBlock, columns);
    std::vector<float> moved(static_cast<size_t>((end - begin) * rows), 0.0F);  // [columns][rows], old minus new
    pool.ParallelFor(rows, 4, [&](int64_t row_begin, int64_t row_end) {
      for (int64_t row = row_begin; row < row_end; ++row) {
        const double scale = scales[static_cast<size_t>(row)];
        for (int64_t c = begin; c < end; ++c) {
          if (free[static_cast<size_t>(row * columns + c)] == 0) continue;
          const double old = v(row, c), fresh = OnGrid(old + descent(row, c) / hessian(c, c), scale);
          if (fresh == old) continue;
          v(row, c) = fresh;
          moved[static_cast<size_t>((c - begin) * rows + row)] = static_cast<float>(old - fresh);
          descent.row(row).segment(c, end - c) -= (fresh - old) * hessian.row(c).segment(c, end - c);
        }
      }
    });
    if (end == columns) break;
    AddTransposedProduct({moved.data(), end - begin, rows, rows},
                         {hessian32.data() + begin * columns + end, end - begin, columns - end, columns},
                         descent.data() + end, columns, false, pool);
  }
}

}  // namespace

RoundedWeight RoundToCodes(const Objective& objective, std::span<const float> start, std::span<const float> scales,
                           ThreadPool& pool) {
  const int64_t rows = objective.weight().rows(), columns = objective.weight().cols();
  std::vector<uint8_t> free;
  for (const float w : start) free.push_back(w != 0);
  RowMatrix v = ToMatrix(start, rows, columns), nearest = v;
  for (int64_t row = 0; row < rows; ++row) {
    for (double& w : nearest.row(row)) w = OnGrid(w, scales[static_cast<size_t>(row)]);
  }
  for (int pass = 0; pass < kPasses; ++pass) Descend(objective, scales, free, v, pool);
  const Eigen::VectorXd errors = objective.DampedErrors(v), nearest_errors = objective.DampedErrors(nearest);
  for (Eigen::Index row = 0; row < v.rows(); ++row) {
    if (!(errors[row] < nearest_errors[row])) v.row(row) = nearest.row(row);
  }
  RoundedWeight rounded;
  rounded.weight = ToF32(v);
  const double energy = objective.energies().sum();
  rounded.nearest_error = energy > 0 ? objective.Errors(nearest).sum() / energy : 0;
  rounded.output_error = energy > 0 ? objective.Errors(v).sum() / energy : 0;
  if (objective.centred()) rounded.bias_delta = objective.BiasDelta(v);
  return rounded;
}

}  // namespace tamis
