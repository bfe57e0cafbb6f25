#include "src/passes/visible_keys.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/passes/index_values.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

constexpr int kDeepest = 24;

// a - b <= most, of values that are indices.
struct Inequality {
  IndexValue a, b;
  Dim most;
};

class MaskReader {
 public:
  MaskReader(const Graph& graph, const Dim& queries) : graph_(graph), one_query_(queries == Dim(1)) {}

  bool ReadAddend(ValueId value, int depth) {
    const Node* node = ProducerOf(value);
    if (node == nullptr || depth == 0 || DTypeOf(graph_, value) != DType::kFloat32) return false;
    if (KeepsPlaces(graph_, *node)) return ReadAddend(node->input(0), depth - 1);
    if (node->Is("Trilu")) return ReadTriluAddend(*node);
    if (node->Is("Add")) return ReadSum(*node, depth);
    if (!node->Is("Where")) return false;
    for (const bool when : {true, false}) {
      const auto hidden = MatchUniform(graph_, node->input(when ? 2 : 1));
      if (!hidden || *hidden > kHiddenScore) continue;
      const ValueId shown = node->input(when ? 1 : 2);
      keys_.hidden = *hidden;
      if (MatchUniform(graph_, shown) != 0.0) keys_.addend = shown;
      ReadCondition(node->input(0), when, depth - 1);
      return true;
    }
    return false;
  }

  const VisibleKeys& keys() const { return keys_; }

 private:
  const Node* ProducerOf(ValueId value) const {
    if (value == kNoValue || graph_.value(value).producer == kNoNode) return nullptr;
    const Node& node = graph_.node(graph_.value(value).producer);
    return node.domain.empty() ? &node : nullptr;
  }

  // Its first index below, or last index above, the diagonal.
  std::optional<int64_t> Diagonal(const Node& trilu) const {
    if (trilu.input(1) == kNoValue) return 0;
    const auto k = ScalarConstant(graph_, trilu.input(1));
    return k && std::abs(*k) < 1e9 ? std::optional(static_cast<int64_t>(*k)) : std::nullopt;
  }

  bool ReadTriluAddend(const Node& trilu) {
    const auto hidden = MatchUniform(graph_, trilu.input(0));
    const auto k = Diagonal(trilu);
    if (!hidden || *hidden > kHiddenScore || !k) return false;
    keys_.hidden = *hidden;
    return trilu.Int("upper", 1) != 0 ? TakeLast(Dim(*k - 1)) : TakeFirst(Dim(*k + 1));
  }

  // One addend has bounds and -infinity beyond them, so that what the other adds there doesn't matter.
  bool ReadSum(const Node& sum, int depth) {
    for (size_t i : {size_t{0}, size_t{1}}) {
      MaskReader reader(graph_, Dim(one_query_ ? 1 : 0));
      if (!reader.ReadAddend(sum.input(i), depth - 1) || !reader.keys_.bounds.Any()) continue;
      if (!std::isinf(reader.keys_.hidden) || reader.keys_.addend != kNoValue) continue;
      keys_ = reader.keys_;
      keys_.addend = sum.input(1 - i);
      return true;
    }
    return false;
  }

  // Bounds of the same side are joined if it is known which one is tighter.
  bool TakeLast(const Dim& last) {
    auto& have = keys_.bounds.last;
    if (have && !(last - *have).Constant()) return false;
    if (!have || *(last - *have).Constant() < 0) have = last;
    return true;
  }
  bool TakeFirst(const Dim& first) {
    auto& have = keys_.bounds.first;
    if (have && !(first - *have).Constant()) return false;
    if (!have || *(first - *have).Constant() > 0) have = first;
    return true;
  }

  void ReadCondition(ValueId value, bool when, int depth) {
    if (!TryCondition(value, when, depth)) keys_.rest.push_back({value, when});
  }

  // False if nothing is known of the condition.
  bool TryCondition(ValueId value, bool when, int depth) {
    if (depth == 0) return false;
    if (const auto uniform = MatchUniform(graph_, value)) return (*uniform != 0) == when;
    if (graph_.value(value).constant) return TakeConstant(*graph_.value(value).constant, when);
    const Node* node = ProducerOf(value);
    if (node == nullptr) return false;
    if (node->Is(when ? "And" : "Or") || (when && node->Is("Mul"))) {
      ReadCondition(node->input(0), when, depth - 1);
      ReadCondition(node->input(1), when, depth - 1);
      return true;
    }
    if (node->Is("Not")) return TryCondition(node->input(0), !when, depth - 1);
    if (node->Is("Equal")) {
      for (size_t i : {size_t{0}, size_t{1}}) {
        if (MatchUniform(graph_, node->input(i)) == 0.0) return TryCondition(node->input(1 - i), !when, depth - 1);
      }
      return false;
    }
    if (node->Is("Cast") && DTypeOf(graph_, value) != DType::kBool && IsFloat(DTypeOf(graph_, node->input(0)))) {
      return false;  // rounds fractions to zero
    }
    if (KeepsPlaces(graph_, *node)) return TryCondition(node->input(0), when, depth - 1);
    if (node->Is("Trilu")) return TakeTrilu(*node, when);
    if (node->Is("Slice")) return TakeSlice(*node, when, depth);
    return TakeComparison(*node, when);
  }

  bool TakeTrilu(const Node& trilu, bool when) {
    const auto uniform = MatchUniform(graph_, trilu.input(0));
    const auto k = Diagonal(trilu);
    if (!uniform || *uniform == 0 || !k) return false;
    const bool upper = trilu.Int("upper", 1) != 0;
    if (upper == when) return TakeFirst(Dim(when ? *k : *k + 1));
    return TakeLast(Dim(when ? *k : *k - 1));
  }

  // A part of what has bounds, from some row and some column on.
  bool TakeSlice(const Node& slice, bool when, int depth) {
    const auto axes = KnownInts(graph_, slice.input(3));
    const int64_t rank = RankOf(graph_, slice.input(0));
    if (graph_.Opset() < 10 || !axes || axes->size() != 1 || rank < 2) return false;
    if (slice.input(4) != kNoValue && ScalarConstant(graph_, slice.input(4)) != 1.0) return false;
    const int64_t axis = (*axes)[0] < 0 ? -(*axes)[0] : rank - (*axes)[0];
    const auto start = MatchIndex(graph_, slice.input(1));
    MaskReader inner(graph_, Dim(0));
    if (!start || start->axis != 0 || !start->offset.NonNegative() || axis > 2) return false;
    if (!inner.TryCondition(slice.input(0), when, depth - 1) || !inner.keys_.rest.empty()) return false;
    const Dim shift = axis == 2 ? start->offset : Dim(0) - start->offset;
    const KeyBounds& bounds = inner.keys_.bounds;
    return (!bounds.first || TakeFirst(*bounds.first + shift)) && (!bounds.last || TakeLast(*bounds.last + shift));
  }

  // A matrix of which each row's conditions hold up to one column, a column further from row to row.
  bool TakeConstant(const Tensor& tensor, bool when) {
    if (tensor.rank() < 2 || tensor.NumElements() < 2 || IsFloat(tensor.dtype())) return false;
    const int64_t rows = tensor.dim(-2), columns = tensor.dim(-1);
    if (tensor.NumElements() != rows * columns) return false;
    std::vector<int64_t> values;
    if (tensor.dtype() == DType::kBool) {
      const auto* data = static_cast<const uint8_t*>(static_cast<const void*>(tensor.raw()));
      values.assign(data, data + tensor.NumElements());
    } else if (IsInteger(tensor.dtype())) {
      values = tensor.ToInt64s();
    } else {
      return false;
    }
    int64_t last = -1;
    while (last + 1 < columns && (values[static_cast<size_t>(last + 1)] != 0) == when) ++last;
    for (int64_t s = 0; s < rows; ++s) {
      for (int64_t t = 0; t < columns; ++t) {
        if (((values[static_cast<size_t>(s * columns + t)] != 0) == when) != (t <= s + last)) return false;
      }
    }
    return TakeLast(Dim(last));
  }

  bool TakeComparison(const Node& node, bool when) {
    const bool less = node.Is("Less") || node.Is("LessOrEqual");
    const bool greater = node.Is("Greater") || node.Is("GreaterOrEqual");
    if (!less && !greater) return false;
    const bool or_equal = node.Is("LessOrEqual") || node.Is("GreaterOrEqual");
    // Not (a <= b) is b < a.
    const bool first_below = less == when;
    const Dim most(or_equal == when ? 0 : -1);
    const ValueId low = node.input(first_below ? 0 : 1), high = node.input(first_below ? 1 : 0);
    const auto bound = MatchIndex(graph_, high);
    if (const Node* abs = bound && bound->axis == 0 ? ProducerOf(low) : nullptr; abs != nullptr && abs->Is("Abs")) {
      const Node* difference = ProducerOf(abs->input(0));
      if (difference == nullptr || !difference->Is("Sub")) return false;
      const auto a = MatchIndex(graph_, difference->input(0)), b = MatchIndex(graph_, difference->input(1));
      if (!a || !b || a->axis == b->axis) return false;
      const Dim width = bound->offset + most;
      MaskReader tried = *this;
      if (!tried.Take({*a, *b, width}) || !tried.Take({*b, *a, width})) return false;
      *this = tried;
      return true;
    }
    const auto a = MatchIndex(graph_, low);
    return a && bound && Take({*a, *bound, most});
  }

  MaskReader& operator=(const MaskReader& other) {
    keys_ = other.keys_;
    return *this;
  }
  MaskReader(const MaskReader&) = default;

  bool Take(const Inequality& inequality) {
    constexpr int64_t kKey = 1, kQuery = 2;
    const auto& [a, b, most] = inequality;
    const Dim slack = most + b.offset - a.offset;  // a's index - b's index <= slack
    if (a.axis == kKey && b.axis == kQuery) return TakeLast(slack);
    if (a.axis == kQuery && b.axis == kKey) return TakeFirst(Dim(0) - slack);
    if (a.axis == 0 && slack.NonNegative()) return true;  // indices are not negative
    if (!one_query_) return false;
    if (a.axis == kKey && b.axis == 0) return TakeLast(slack);
    if (a.axis == 0 && b.axis == kKey) return TakeFirst(Dim(0) - slack);
    return false;
  }

  const Graph& graph_;
  bool one_query_ = false;
  VisibleKeys keys_;
};

}  // namespace

std::optional<VisibleKeys> MatchVisibleKeys(const Graph& graph, ValueId mask, const Dim& queries) {
  MaskReader reader(graph, queries);
  if (!reader.ReadAddend(mask, kDeepest) || !reader.keys().bounds.Any()) return std::nullopt;
  return reader.keys();
}

}  // namespace tamis
