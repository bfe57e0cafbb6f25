#include "src/ops/ml/op_forest.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

using Mode = TreeNode::Mode;

// The largest T that is not above `value`.
template <class T>
T Floor(double value) {
  const auto rounded = static_cast<T>(value);
  if (static_cast<double>(rounded) <= value || std::isnan(value)) return rounded;
  return std::nextafter(rounded, -std::numeric_limits<T>::infinity());
}

// The largest T below `value`: x < value is x <= Below(value). NaN where there is none.
template <class T>
T Below(double value) {
  const T floor = Floor<T>(value);
  if (static_cast<double>(floor) < value || std::isnan(value)) return floor;
  if (floor == -std::numeric_limits<T>::infinity()) return std::numeric_limits<T>::quiet_NaN();
  return std::nextafter(floor, -std::numeric_limits<T>::infinity());
}

// How many splits ask what the node asks.
int32_t SplitsOf(const TreeNode& node) {
  if (node.mode == Mode::kMember) return std::max<int32_t>(1, 2 * static_cast<int32_t>(node.members.size()));
  return node.mode == Mode::kEqual || node.mode == Mode::kNotEqual ? 2 : 1;
}

}  // namespace

int64_t TreeEnsemble::NumFeatures() const {
  int64_t count = 1;
  for (const TreeNode& node : nodes) {
    if (!node.leaf) count = std::max(count, node.feature + 1);
  }
  return count;
}

template <class T>
Forest<T>::Forest(const TreeEnsemble& ensemble)
    : base_(ensemble.base),
      targets_(ensemble.targets),
      sum_(ensemble.sum),
      finds_extreme_(ensemble.sum == TreeSum::kMin || ensemble.sum == TreeSum::kMax) {
  const std::vector<TreeNode>& nodes = ensemble.nodes;
  // Splits lie in the order in which trees are walked, level by level, so that the upper levels share cache lines.
  std::vector<int32_t> order, place(nodes.size(), -1);
  const auto visit = [&](int32_t node) {
    if (place[static_cast<size_t>(node)] >= 0) return;
    place[static_cast<size_t>(node)] = 0;
    order.push_back(node);
  };
  for (const int32_t root : ensemble.roots) {
    const size_t begin = order.size();
    visit(root);
    for (size_t i = begin; i < order.size(); ++i) {
      const TreeNode& node = nodes[static_cast<size_t>(order[i])];
      if (node.leaf) continue;
      visit(node.yes);
      visit(node.no);
    }
  }
  int32_t count = 0, leaves = 0;
  for (const int32_t i : order) {
    const TreeNode& node = nodes[static_cast<size_t>(i)];
    if (node.leaf) {
      ++leaves;
    } else {
      place[static_cast<size_t>(i)] = count;
      count += SplitsOf(node);
    }
  }
  first_leaf_ = count;
  splits_.resize(static_cast<size_t>(count + leaves));
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const int32_t i : order) {
    const TreeNode& node = nodes[static_cast<size_t>(i)];
    if (!node.leaf) continue;
    place[static_cast<size_t>(i)] = count;
    splits_[static_cast<size_t>(count)] = {nan, 0, count, 0};
    ++count;
    const auto begin = static_cast<int32_t>(weights_.size());
    for (const auto& [target, weight] : node.weights) weights_.push_back({target, static_cast<T>(weight)});
    leaves_.push_back({begin, static_cast<int32_t>(weights_.size())});
  }
  for (const int32_t i : order) {
    const TreeNode& node = nodes[static_cast<size_t>(i)];
    if (node.leaf) continue;
    const int32_t yes = place[static_cast<size_t>(node.yes)], no = place[static_cast<size_t>(node.no)];
    int32_t at = place[static_cast<size_t>(i)];
    // A NaN is never less, and goes to `less` where `missing` says so.
    const auto ask = [&](T value, int32_t less, int32_t other, bool missing) {
      const auto feature = static_cast<int32_t>(node.feature);
      splits_[static_cast<size_t>(at++)] = {value, feature * 2 + (missing ? 1 : 0), other, less - other};
      missing_ = missing_ || missing;
    };
    const bool missing = node.missing_is_true;
    const T floor = Floor<T>(node.value), below = Below<T>(node.value);
    const bool never = std::isnan(node.value);  // nothing compares with a NaN
    switch (node.mode) {
      case Mode::kLessEqual:
        ask(floor, yes, no, missing);
        break;
      case Mode::kLess:
        ask(below, yes, no, missing);
        break;
      case Mode::kGreaterEqual:
        if (never) {
          ask(nan, yes, no, missing);
        } else {
          ask(below, no, yes, !missing);
        }
        break;
      case Mode::kGreater:
        if (never) {
          ask(nan, yes, no, missing);
        } else {
          ask(floor, no, yes, !missing);
        }
        break;
      case Mode::kEqual:
        ask(floor, at + 1, no, missing);
        ask(below, no, yes, false);
        break;
      case Mode::kNotEqual:  // a NaN differs from everything
        ask(floor, at + 1, yes, false);
        ask(below, yes, no, false);
        break;
      case Mode::kMember: {
        std::vector<double> members = node.members;
        std::sort(members.begin(), members.end());
        if (members.empty()) ask(nan, yes, no, missing);
        for (size_t m = 0; m < members.size(); ++m) {
          const int32_t next = m + 1 < members.size() ? at + 2 : no;
          ask(Floor<T>(members[m]), at + 1, next, m == 0 && missing);
          ask(Below<T>(members[m]), no, yes, false);
        }
        break;
      }
    }
  }
  for (const int32_t root : ensemble.roots) roots_.push_back(place[static_cast<size_t>(root)]);
  const auto trees = static_cast<double>(std::max<size_t>(roots_.size(), 1));
  work_ = static_cast<double>(roots_.size()) * (2 + std::log2(1 + static_cast<double>(leaves) / trees));
}

// Lanes walk side by side: each step waits for two loads, which those of the other lanes fill.
template <class T>
template <bool kMissing, int kLanes>
void Forest<T>::Walk(const T* const* x, int32_t* at) const {
  const Split* splits = splits_.data();
  bool asking = true;
  while (asking) {
    asking = false;
    for (int lane = 0; lane < kLanes; ++lane) {
      const Split& split = splits[at[lane]];
      const T value = x[lane][split.feature >> 1];
      bool less = value <= split.value;
      if (kMissing) less = less || ((split.feature & 1) != 0 && std::isnan(value));
      at[lane] = split.no + static_cast<int32_t>(less) * split.step;
      asking = asking || at[lane] < first_leaf_;
    }
  }
}

template <class T>
void Forest<T>::AddLeaf(int32_t at, double* sums, double* seen) const {
  const Leaf& leaf = leaves_[static_cast<size_t>(at - first_leaf_)];
  for (int32_t w = leaf.begin; w < leaf.end; ++w) {
    const auto value = static_cast<double>(weights_[static_cast<size_t>(w)].value);
    const int32_t target = weights_[static_cast<size_t>(w)].target;
    if (!finds_extreme_) {
      sums[target] += value;
    } else if (seen[target] == 0 || (sum_ == TreeSum::kMin ? value < sums[target] : value > sums[target])) {
      seen[target] = 1;
      sums[target] = value;
    }
  }
}

template <class T>
template <bool kMissing>
void Forest<T>::SumRows(const T* x, int64_t rows, int64_t stride, double* sums, double* seen) const {
  constexpr int kLanes = 8;
  const T* lanes[kLanes];
  int32_t at[kLanes];
  const auto walk = [&](int count) {
    if (count == kLanes) return Walk<kMissing, kLanes>(lanes, at);
    for (int lane = 0; lane < count; ++lane) Walk<kMissing, 1>(lanes + lane, at + lane);
  };
  const int64_t whole = rows / kLanes * kLanes;
  // Tree by tree, so that its nodes stay in the cache over all rows.
  for (const int32_t root : roots_) {
    for (int64_t row = 0; row < whole; row += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = x + (row + lane) * stride;
        at[lane] = root;
      }
      walk(kLanes);
      for (int lane = 0; lane < kLanes; ++lane) {
        AddLeaf(at[lane], sums + (row + lane) * targets_, seen + (row + lane) * targets_);
      }
    }
  }
  // Rows that are left walk down several trees at once instead.
  for (int64_t row = whole; row < rows; ++row) {
    for (size_t tree = 0; tree < roots_.size(); tree += kLanes) {
      const int count = static_cast<int>(std::min<size_t>(kLanes, roots_.size() - tree));
      for (int lane = 0; lane < count; ++lane) {
        lanes[lane] = x + row * stride;
        at[lane] = roots_[tree + static_cast<size_t>(lane)];
      }
      walk(count);
      for (int lane = 0; lane < count; ++lane) AddLeaf(at[lane], sums + row * targets_, seen + row * targets_);
    }
  }
}

template <class T>
template <class Out>
void Forest<T>::Sum(const T* x, int64_t rows, int64_t stride, double* scratch, Out* out) const {
  double* seen = finds_extreme_ ? scratch + rows * targets_ : scratch;
  std::fill_n(scratch, ScratchDoubles(rows), 0.0);
  missing_ ? SumRows<true>(x, rows, stride, scratch, seen) : SumRows<false>(x, rows, stride, scratch, seen);
  const double trees = static_cast<double>(std::max<size_t>(roots_.size(), 1));
  for (int64_t i = 0; i < rows * targets_; ++i) {
    double total = sum_ == TreeSum::kAverage ? scratch[i] / trees : scratch[i];
    if (!base_.empty()) total += base_[static_cast<size_t>(i % targets_)];
    out[i] = static_cast<Out>(total);
  }
}

template class Forest<float>;
template class Forest<double>;
template void Forest<float>::Sum(const float*, int64_t, int64_t, double*, float*) const;
template void Forest<double>::Sum(const double*, int64_t, int64_t, double*, float*) const;
template void Forest<double>::Sum(const double*, int64_t, int64_t, double*, double*) const;

}  // namespace tamis
