// Ensembles of decision trees in the form in which they are walked.
//
// Whatever a tree of a file compares (<=, <, >=, >, ==, !=, membership), here every node asks `x <= value` and moves by
// one addition: other comparisons are turned, moved to the neighbouring float, or take two nodes. Leaves stay where
// they are, so that rows whose paths differ in length walk side by side without branches.
#pragma once

#include <cstdint>
#include <vector>

#include "src/ops/op_def.h"

namespace tamis {

// A tree node as files have it.
struct TreeNode {
  enum class Mode : uint8_t { kLessEqual, kLess, kGreaterEqual, kGreater, kEqual, kNotEqual, kMember };
  Mode mode = Mode::kLessEqual;
  bool leaf = false;
  bool missing_is_true = false;  // a NaN takes the branch `yes`
  double value = 0;
  std::vector<double> members;  // of kMember
  int64_t feature = 0;
  int32_t yes = 0, no = 0;                          // indices of nodes
  std::vector<std::pair<int32_t, double>> weights;  // of a leaf: (target, weight)
};

enum class TreeSum : uint8_t { kSum, kAverage, kMin, kMax };

struct TreeEnsemble {
  std::vector<TreeNode> nodes;
  std::vector<int32_t> roots;
  int64_t targets = 1;
  TreeSum sum = TreeSum::kSum;
  std::vector<double> base;  // one for each target, or none

  int64_t NumFeatures() const;  // that a row must have
};

// From the attributes of TreeEnsembleRegressor: nodes by (tree, node) ids, a leaf may have weights for several targets.
// What is wrong with the attributes (unknown nodes, cycles, lists of different lengths) is an error of the node.
Result<TreeEnsemble> ReadTreesById(const Node& node);
// From those of TreeEnsemble: nodes and leaves by index.
Result<TreeEnsemble> ReadTreesByIndex(const Node& node);

// For operands of type T, float or double.
template <class T>
class Forest {
 public:
  explicit Forest(const TreeEnsemble& ensemble);

  int64_t targets() const { return targets_; }
  size_t Bytes() const {
    return splits_.size() * sizeof(Split) + leaves_.size() * sizeof(Leaf) + weights_.size() * sizeof(Weight);
  }
  // Mean steps of a walk, if all leaves were as likely: for predicting times.
  double WorkPerRow() const { return work_; }
  // Doubles that Sum needs for so many rows.
  size_t ScratchDoubles(int64_t rows) const { return static_cast<size_t>(rows * targets_ * (finds_extreme_ ? 2 : 1)); }
  // The sums of `rows` rows, `stride` elements apart, to out[row * targets + target].
  template <class Out>
  void Sum(const T* x, int64_t rows, int64_t stride, double* scratch, Out* out) const;

 private:
  struct Split {
    T value;           // NaN in leaves: nothing is less
    int32_t feature;   // the lowest bit: a NaN counts as less; the others: which element of the row
    int32_t no, step;  // the next node is no + (x <= value) * step
  };
  struct Leaf {
    int32_t begin, end;  // of weights_
  };
  struct Weight {
    int32_t target;
    T value;
  };

  template <bool kMissing, int kLanes>
  void Walk(const T* const* x, int32_t* at) const;
  template <bool kMissing>
  void SumRows(const T* x, int64_t rows, int64_t stride, double* sums, double* seen) const;
  void AddLeaf(int32_t at, double* sums, double* seen) const;

  std::vector<Split> splits_;  // first those that ask, then the leaves
  int32_t first_leaf_ = 0;
  std::vector<Leaf> leaves_;
  std::vector<Weight> weights_;
  std::vector<int32_t> roots_;
  std::vector<double> base_;
  int64_t targets_ = 1;
  TreeSum sum_ = TreeSum::kSum;
  bool finds_extreme_ = false;
  bool missing_ = false;  // some node sends NaNs to `yes`
  double work_ = 0;
};

}  // namespace tamis
