// Both tables of GELU against erfc in double, as the kernels read them.
#include "src/kernels/gemm/gelu_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tamis {
namespace {

double Gelu(double x) {
  return 0.5 * x * std::erfc(-x * std::numbers::sqrt2 / 2);
}

template <class Read>
double LargestError(const Read& read) {
  double largest = 0;
  for (int i = -9000; i <= 9000; ++i) {
    const float x = static_cast<float>(i) * 1e-3F;
    largest = std::max(largest, std::abs(static_cast<double>(read(x)) - Gelu(static_cast<double>(x))));
  }
  return largest;
}

TEST(GeluTables, ForFloats) {
  const GeluTable& table = TheGeluTable();
  const auto read = [&](float x) {
    const float a = std::min(std::abs(x), GeluTable::kEnd - 1e-5F);
    const float scaled = a * (GeluTable::kIntervals / GeluTable::kEnd) - 0.5F, rounded = std::nearbyint(scaled);
    const auto i = static_cast<int>(rounded);
    const float u = scaled - rounded;
    return std::max(x, 0.F) - a * (table.c[0][i] + u * (table.c[1][i] + u * (table.c[2][i] + u * table.c[3][i])));
  };
  EXPECT_LT(LargestError(read), 1e-6);  // rounding of numbers up to nine included
}

TEST(GeluTables, ForCodes) {
  const GeluCodeTable& table = TheGeluCodeTable();
  const auto read = [&](float x) {
    const float a = std::min(std::abs(x), GeluCodeTable::kLast);
    const auto i = static_cast<int>(std::nearbyint(a * GeluCodeTable::kPerUnit));
    EXPECT_LT(i, GeluCodeTable::kIntervals);
    return std::max(x, 0.F) - (table.c[0][i] + a * (table.c[1][i] + a * table.c[2][i]));
  };
  EXPECT_LT(LargestError(read), 2e-5);
}

}  // namespace
}  // namespace tamis
