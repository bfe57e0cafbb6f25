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

// Interpolates likewise, at three nodes.
GeluCodeTable MakeCodeTable() {
  GeluCodeTable table;
  const double width = 1 / static_cast<double>(GeluCodeTable::kPerUnit);
  for (int i = 0; i < GeluCodeTable::kIntervals; ++i) {
    double a[3], d[3];
    for (int k = 0; k < 3; ++k) {
      a[k] = (i + 0.5 * std::cos((2 * k + 1) * std::numbers::pi / 6)) * width;
      d[k] = a[k] * Tail(a[k]);
    }
    d[2] = (d[2] - d[1]) / (a[2] - a[1]);
    d[1] = (d[1] - d[0]) / (a[1] - a[0]);
    d[2] = (d[2] - d[1]) / (a[2] - a[0]);
    // d0 + (a - a0) (d1 + (a - a1) d2)
    table.c[0][i] = static_cast<float>(d[0] - a[0] * (d[1] - a[1] * d[2]));
    table.c[1][i] = static_cast<float>(d[1] - (a[0] + a[1]) * d[2]);
    table.c[2][i] = static_cast<float>(d[2]);
  }
  return table;
}

}  // namespace

const GeluCodeTable& TheGeluCodeTable() {
  static const GeluCodeTable kTable = MakeCodeTable();
  return kTable;
}

const GeluTable& TheGeluTable() {
  static const GeluTable kTable = MakeTable();
  return kTable;
}

}  // namespace tamis
