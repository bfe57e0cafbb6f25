#include "src/kernels/gemm/gelu_table.h"

#include <cmath>
#include <numbers>

namespace tamis {
namespace {

double Tail(double a) {
  return 0.5 * std::erfc(a * std::numbers::sqrt2 / 2);
}

// Interpolates at the four Chebyshev nodes of each interval, by divided differences.
GeluTable MakeTable() {
  GeluTable table;
  const double width = static_cast<double>(GeluTable::kEnd) / GeluTable::kIntervals;
  for (int i = 0; i < GeluTable::kIntervals; ++i) {
    double node[4];
    double d[4];
    for (int k = 0; k < 4; ++k) {
      node[k] = 0.5 * std::cos((2 * k + 1) * std::numbers::pi / 8);
      d[k] = Tail((i + 0.5 + node[k]) * width);
    }
    for (int order = 1; order < 4; ++order) {
      for (int k = 3; k >= order; --k) d[k] = (d[k] - d[k - 1]) / (node[k] - node[k - order]);
    }
    // Newton's form d0 + (u - n0)(d1 + (u - n1)(d2 + (u - n2) d3)) multiplied out.
    double c[4] = {d[3], 0, 0, 0};
    for (int k = 2; k >= 0; --k) {
      for (int j = 3; j > 0; --j) c[j] = c[j - 1] - node[k] * c[j];
      c[0] = d[k] - node[k] * c[0];
    }
    for (int j = 0; j < 4; ++j) table.c[j][i] = static_cast<float>(c[j]);
  }
  return table;
}

}  // namespace

const GeluTable& TheGeluTable() {
  static const GeluTable kTable = MakeTable();
  return kTable;
}

}  // namespace tamis
