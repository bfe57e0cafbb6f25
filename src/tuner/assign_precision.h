// Which nodes of a graph run in a short type: the labelling that takes the least measured time, conversions counted.
//
// With two types this is exact, not a heuristic: a node's label is the side of a cut it lies on, its two times are
// edges to the two ends, and a value that somebody reads in the other type than it is made in pays its conversion once,
// however many such readers there are (an auxiliary vertex a direction). The minimum cut is the best labelling of all,
// so it is never slower by these times than all nodes in one type. Conversions cost their own kernel here; a product
// that can write the other type itself makes the real graph a little faster than the cut says.
#pragma once

#include <vector>

namespace tamis {

struct PrecisionNode {
  double full_seconds = 0;
  double low_seconds = 0;
  bool may_be_low = false;
};

// A value between nodes. kFull stands for what is outside the choice and always float32: the graph's inputs and
// outputs, and nodes that can't turn low.
struct PrecisionValue {
  static constexpr int kFull = -1;
  int producer = kFull;
  std::vector<int> readers;
  double to_low_seconds = 0;   // made full, read low
  double to_full_seconds = 0;  // made low, read full
};

// By node: whether it runs low. Of equal labellings, one with fewer low nodes.
std::vector<bool> AssignPrecision(const std::vector<PrecisionNode>& nodes, const std::vector<PrecisionValue>& values);

// Seconds of a labelling: its nodes and its conversions.
double LabellingSeconds(const std::vector<PrecisionNode>& nodes, const std::vector<PrecisionValue>& values,
                        const std::vector<bool>& low);

}  // namespace tamis
