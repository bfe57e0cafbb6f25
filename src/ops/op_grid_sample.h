// Where GridSample reads: shared by the operator and its kernels.
#pragma once

#include <cmath>
#include <cstdint>

#include "src/ops/op_rule.h"

namespace tamis {

enum class GridMode : uint8_t { kLinear, kNearest, kCubic };
enum class GridPadding : uint8_t { kZeros, kBorder, kReflection };

struct GridOptions {
  GridMode mode = GridMode::kLinear;
  GridPadding padding = GridPadding::kZeros;
  bool align_corners = false;
};
GridOptions ReadGridOptions(const Node& node, NodeProblems* problems);

// Up to four elements of one axis of `length` elements and their weights. An index of -1 reads 0.
struct GridTaps {
  int count = 1;
  int64_t index[4] = {};
  double weight[4] = {};
};
// For the normalized coordinate `at`, where -1 and 1 are the ends of the axis. What is not finite is far outside.
GridTaps GridTapsAt(const GridOptions& options, double at, int64_t length);

}  // namespace tamis
