// recognize_attention: MatMul(softmax(scale * q . k^T + mask), v) with its head splits becomes Attention. The scale may
// stand on q, on k, on both, or on the scores, as factors or divisors; the scores may be capped, c * tanh(scores / c);
// the mask is added, or chooses between the scores and a constant that is negative beyond all scores. A choice of 0
// where the softmax is NaN, because all of a row is masked, is part of it. q, k and v may be parts of one projection; k
// and v may have fewer heads than q, each repeated by Expand or Tile. An operand that is no head split of rows
// (rotated, or appended to a cache) is read as [batch, heads, tokens, elements]. Batch and heads may be one axis of the
// products and two of the softmax; or the batch two axes, as windows of images have it. A mask that is constant and
// causal becomes an attribute. Of a quantised network the codes that q, k and v were rounded to do as well.
#include <algorithm>
#include <cmath>

#include "src/passes/all_passes.h"
#include "src/passes/attention_rows.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr double kBeyondScores = -1e30;

struct Fill {
  ValueId condition = kNoValue;
  double constant = 0;
  bool when = true;  // the constant is taken where the condition is this
  Shape scores;      // as they are seen there
};

// What is added to the scores, as they are seen there.
struct Addend {
  ValueId value = kNoValue;
  Shape scores;
};

struct Scores {
  const Node* product = nullptr;  // MatMul(q, k^T)
  double scale = 1;
  double softcap = 0;
  std::vector<Addend> masks;
  std::vector<Fill> fills;
  std::vector<ValueId> Leaves() const {
    std::vector<ValueId> leaves;
    for (const Addend& mask : masks) leaves.push_back(mask.value);
    for (const Fill& fill : fills) leaves.push_back(fill.condition);
    return leaves;
  }
};

bool BroadcastsToValue(const Graph& graph, ValueId from, ValueId to) {
  const Shape* a = ShapeOf(graph, from);
  const Shape* b = ShapeOf(graph, to);
  return a != nullptr && b != nullptr && AlwaysBroadcasts(*a, *b);
}

// Whether a Reshape leaves the rows of scores whole. What the axes before them are is asked where a mask is added.
bool KeepsScores(const Graph& graph, const Node& node) {
  const Shape *from = ShapeOf(graph, node.input(0)), *to = ShapeOf(graph, node.outputs[0]);
  return node.Is("Reshape") && from != nullptr && to != nullptr && from->size() >= 3 && to->size() >= 3 &&
         std::equal(from->end() - 2, from->end(), to->end() - 2);
}

// Reads the scores back to the product. `after` is what multiplies them between here and the softmax; a mask must not
// be multiplied.
bool WalkScores(const Graph& graph, ValueId value, double after, int depth, Scores* scores) {
  const NodeId producer = graph.value(value).producer;
  if (producer == kNoNode || depth == 0) return false;
  const Node& node = graph.node(producer);
  if (node.Is("MatMul")) {
    scores->product = &node;
    scores->scale = after;
    return true;
  }
  if (node.Is("Mul") || node.Is("Div")) {
    const auto scaled = MatchScalarOperand(graph, node);
    if (!scaled || scaled->constant == 0) return false;
    const double factor = node.Is("Mul") ? scaled->constant : 1 / scaled->constant;
    if (const Node* tanh = Producer(graph, scaled->value, "Tanh")) {
      if (after != 1 || factor <= 0 || scores->softcap != 0) return false;
      scores->softcap = factor;
      return WalkScores(graph, tanh->input(0), factor, depth - 1, scores);
    }
    return WalkScores(graph, scaled->value, after * factor, depth - 1, scores);
  }
  if (KeepsScores(graph, node)) return WalkScores(graph, node.input(0), after, depth - 1, scores);
  if (scores->softcap != 0) return false;  // a mask must not be capped
  if (node.Is("Add") && after == 1) {
    for (size_t i : {size_t{0}, size_t{1}}) {
      const ValueId mask = node.input(1 - i);
      if (!SameShape(graph, node.input(i), value) || !BroadcastsToValue(graph, mask, value)) continue;
      Scores tried = *scores;
      tried.masks.push_back({mask, *ShapeOf(graph, value)});
      if (!WalkScores(graph, node.input(i), after, depth - 1, &tried)) continue;
      *scores = tried;
      return true;
    }
    return false;
  }
  if (!node.Is("Where") || after != 1 || !BroadcastsToValue(graph, node.input(0), value)) return false;
  const bool when = ScalarConstant(graph, node.input(1)).has_value();
  const auto constant = ScalarConstant(graph, node.input(when ? 1 : 2));
  const ValueId rest = node.input(when ? 2 : 1);
  if (!constant || *constant > kBeyondScores || !SameShape(graph, rest, value)) return false;
  scores->fills.push_back({node.input(0), *constant, when, *ShapeOf(graph, value)});
  return WalkScores(graph, rest, after, depth - 1, scores);
}

// The softmax that `value` is, or that it takes but for NaNs, which become 0.
const Node* MatchSoftmax(const Graph& graph, ValueId value, bool* zero_masked) {
  *zero_masked = false;
  if (const Node* joined = Producer(graph, value, "Reshape"); joined != nullptr && KeepsScores(graph, *joined)) {
    value = joined->input(0);
  }
  const Node* where = Producer(graph, value, "Where");
  if (where == nullptr) return Producer(graph, value, "Softmax");
  const Node* is_nan = Producer(graph, where->input(0), "IsNaN");
  const Node* softmax = Producer(graph, where->input(2), "Softmax");
  if (is_nan == nullptr || softmax == nullptr || is_nan->input(0) != where->input(2)) return nullptr;
  if (ScalarConstant(graph, where->input(1)) != 0.0) return nullptr;
  *zero_masked = true;
  return softmax;
}

// How far a constant mask lets query s see, if it lets it see the keys up to s + offset and no other.
std::optional<int64_t> CausalOffset(const Graph& graph, ValueId mask) {
  if (mask == kNoValue || !graph.value(mask).IsConstant()) return std::nullopt;
  const Tensor& tensor = *graph.value(mask).constant;
  if (tensor.dtype() != DType::kFloat32 || tensor.rank() < 2 || tensor.NumElements() < 2) return std::nullopt;
  const int64_t queries = tensor.dim(-2), keys = tensor.dim(-1);
  if (tensor.NumElements() != queries * keys) return std::nullopt;
  const auto values = tensor.Span<float>();
  int64_t offset = -1;
  while (offset + 1 < keys && values[static_cast<size_t>(offset + 1)] == 0) ++offset;
  if (offset < 0) return std::nullopt;
  for (int64_t s = 0; s < queries; ++s) {
    for (int64_t t = 0; t < keys; ++t) {
      const float value = values[static_cast<size_t>(s * keys + t)];
      if (t <= s + offset ? value != 0 : value > kBeyondScores) return std::nullopt;
    }
  }
  return offset;
}

// Whether two operands have the same batch, and heads that fit q's.
bool SameHeads(const AttentionRows& q, const AttentionRows& other) {
  return q.batch_size == other.batch_size && q.head_count == other.head_count * other.shared;
}

// Whether the scores are [batch, heads, queries, keys] and [batch * heads, queries, keys].
bool AreApart(const Shape& scores, const AttentionRows& q) {
  return scores.size() == 4 && scores[0] == q.batch_size && scores[1] == q.head_count;
}

// Whether they are [batch, windows, heads, queries, keys] of rows that know both as their batch, and stay so.
bool AreWindows(const Shape& result, const AttentionRows& q) {
  if (result.size() != 5 || !(result[0] * result[1] == q.batch_size) || !(result[2] == q.head_count)) return false;
  const Shape joined = {q.batch_size, result[3], result[2] * result[4]};
  return ReshapeTarget(joined, {result[0], result[1], result[3], result[2], result[4]}).has_value();
}

bool AreJoined(const Shape& scores, const AttentionRows& q) {
  return scores.size() == 3 && scores[0] == q.batch_size * q.head_count;
}

// What a mask is reshaped to so that it broadcasts to [batch, heads, queries, keys]: empty where it does as it is;
// nullopt if that can't be said, as where batch and heads are cut in another way (Swin's windows).
std::optional<std::vector<int64_t>> ApartTarget(const Graph& graph, const Addend& mask, const AttentionRows& q) {
  const Shape& shape = *ShapeOf(graph, mask.value);
  if (AreApart(mask.scores, q)) return std::vector<int64_t>();
  if (!AreJoined(mask.scores, q)) return std::nullopt;
  if (shape.size() < 3 || shape[0] == Dim(1)) return std::vector<int64_t>();
  return ReshapeTarget(shape, {q.batch_size, q.head_count, shape[1], shape[2]});
}

// All masks and fills as one addend; kNoValue if there are none.
ValueId MakeMask(Rewriter& rewriter, const Scores& scores, const AttentionRows& q) {
  std::vector<ValueId> addends;
  for (const Addend& mask : scores.masks) {
    addends.push_back(mask.value);
    const auto target = ApartTarget(rewriter.graph(), mask, q);
    if (target->empty()) continue;
    const Shape shape = *ShapeOf(rewriter.graph(), mask.value);
    const ValueId apart = rewriter.AddConstant("attention_mask_shape", Tensor::Int64s(*target));
    addends.back() = rewriter.Append(
        "Reshape", "", {mask.value, apart}, {}, "attention_mask_heads",
        Type::Tensor(DTypeOf(rewriter.graph(), mask.value), {q.batch_size, q.head_count, shape[1], shape[2]}));
  }
  for (const Fill& fill : scores.fills) {
    if (const Tensor* condition = rewriter.graph().value(fill.condition).constant
                                      ? &*rewriter.graph().value(fill.condition).constant
                                      : nullptr) {
      Tensor addend(DType::kFloat32, condition->dims());
      for (int64_t i = 0; i < addend.NumElements(); ++i) {
        const bool taken = (condition->Data<uint8_t>()[i] != 0) == fill.when;
        addend.Data<float>()[i] = taken ? static_cast<float>(fill.constant) : 0;
      }
      addends.push_back(rewriter.AddConstant("attention_mask_addend", std::move(addend)));
      continue;
    }
    const ValueId constant = rewriter.AddConstant("mask_fill", Tensor::Float(static_cast<float>(fill.constant)));
    const ValueId zero = rewriter.AddConstant("mask_zero", Tensor::Float(0));
    const Type type = Type::Tensor(DType::kFloat32, *ShapeOf(rewriter.graph(), fill.condition));
    addends.push_back(rewriter.Append("Where", "",
                                      {fill.condition, fill.when ? constant : zero, fill.when ? zero : constant}, {},
                                      "attention_mask_addend", type));
  }
  ValueId mask = addends.empty() ? kNoValue : addends[0];
  for (size_t i = 1; i < addends.size(); ++i) {
    Type type;
    type.dtype = DType::kFloat32;
    mask = rewriter.Append("Add", "", {mask, addends[i]}, {}, "attention_mask_sum", type);
  }
  return mask;
}

// What push_codes says of the operands of both products, as attributes of Attention; nothing unless of all.
void TakeCodes(const Node& scores, const Node& values, const AttentionRows& q, const AttentionRows& k,
               std::map<std::string, Attribute>* attributes) {
  if (!scores.Has(kRoundedScales) || !values.Has(kRoundedScales)) return;
  if (q.view.scale <= 0 || k.view.scale <= 0) return;
  const auto scales = scores.Floats(kRoundedScales);
  const auto zeros = scores.Ints(kRoundedZeros);
  const auto set = [&](const std::string& of, double scale, int64_t zero) {
    (*attributes)[of + "_scale"] = static_cast<float>(scale);
    (*attributes)[of + "_zero_point"] = zero;
  };
  set("q", static_cast<double>(scales[0]) / q.view.scale, zeros[0]);
  set("k", static_cast<double>(scales[1]) / k.view.scale, zeros[1]);
  set("v", static_cast<double>(values.Floats(kRoundedScales)[1]), values.Ints(kRoundedZeros)[1]);
}

void Recognise(Rewriter& rewriter, NodeId id, const PassOptions& options) {
  Graph& graph = rewriter.graph();
  const Node& product = graph.node(id);
  const ValueId output = product.outputs[0];
  bool zero_masked = false;
  const Node* softmax = MatchSoftmax(graph, product.input(0), &zero_masked);
  const int64_t rank = RankOf(graph, output);
  if (softmax == nullptr || rank < 3 || rank > 5 || DTypeOf(graph, output) != DType::kFloat32) return;
  const int64_t axis = softmax->Int("axis", graph.Opset() < 13 ? 1 : -1);
  const Shape* softmax_shape = ShapeOf(graph, softmax->outputs[0]);
  const auto missed = [&](std::string_view reason) { options.Missed(graph, output, "Attention", reason); };
  if (axis != -1 && (softmax_shape == nullptr || axis != static_cast<int64_t>(softmax_shape->size()) - 1)) {
    return missed("the softmax isn't along the last axis");
  }
  Scores scores;
  if (!WalkScores(graph, softmax->input(0), 1, 8, &scores) || RankOf(graph, scores.product->outputs[0]) != rank) {
    return missed("what the softmax reads isn't a scaled and masked product");
  }
  const auto q = MatchAttentionRows(graph, scores.product->input(0), false);
  const auto k = MatchAttentionRows(graph, scores.product->input(1), true);
  const auto v = MatchAttentionRows(graph, product.input(1), false);
  if (!q || !k || !v) {
    const char* which = !q ? "q" : !k ? "k" : "v";
    return missed(std::string(which) + " is neither a head split of rows nor [batch, heads, tokens, elements]");
  }
  if (!SameHeads(*q, *k) || !SameHeads(*q, *v) || !(q->shared == Dim(1)) || !(k->shared == v->shared) ||
      !(q->head_size == k->head_size) || !(k->token_count == v->token_count) || v->view.scale != 1) {
    return missed("batch, heads, head size or tokens of q, k and v don't agree");
  }
  // Masks have to broadcast to [batch, heads, queries, keys].
  const Shape& score_shape = *ShapeOf(graph, scores.product->outputs[0]);
  const std::vector<ValueId> parts = scores.Leaves();
  if (rank == 5 && !parts.empty()) return missed("there is a mask, and two axes before the heads");
  if (rank == 5 && !AreWindows(*ShapeOf(graph, output), *q)) return missed("batch and heads are other axes");
  const bool seen_apart = rank == 5   ? true
                          : rank == 4 ? AreApart(score_shape, *q)
                                      : parts.empty() || (softmax_shape != nullptr && AreApart(*softmax_shape, *q));
  if (!seen_apart) return missed("batch and heads are one axis and there is a mask");
  for (const Addend& mask : scores.masks) {
    if (!ApartTarget(graph, mask, *q)) return missed("a mask is added where batch and heads are other axes");
  }
  for (const Fill& fill : scores.fills) {
    const Shape& shape = *ShapeOf(graph, fill.condition);
    const bool fits =
        AreApart(fill.scores, *q) || (AreJoined(fill.scores, *q) && (shape.size() < 3 || shape[0] == Dim(1)));
    if (!fits) return missed("a choice is made where batch and heads are other axes");
  }
  std::vector<ValueId> leaves = {scores.product->input(0), scores.product->input(1), product.input(1)};
  leaves.insert(leaves.end(), parts.begin(), parts.end());
  if (!rewriter.ConeIsPrivate(id, leaves)) return missed("another node reads a part of it");
  std::map<std::string, Attribute> attributes;
  TakeCodes(*scores.product, product, *q, *k, &attributes);
  const std::string_view kind = k->shared == Dim(1) ? "Attention" : "Attention with shared heads";
  options.Matched(graph, output, std::string(kind) + (attributes.empty() ? "" : ", which may round to codes"));

  const int64_t heads = *q->head_count.Constant(), head_size = *v->head_size.Constant();
  const double scale = scores.scale * q->view.scale * k->view.scale;
  attributes["num_heads"] = heads;
  attributes["scale"] = static_cast<float>(scale);
  if (!(k->shared == Dim(1))) attributes["kv_heads"] = *k->head_count.Constant();
  if (zero_masked) attributes["zero_masked"] = int64_t{1};
  if (scores.softcap != 0) attributes["softcap"] = static_cast<float>(scores.softcap);
  std::vector<ValueId> inputs = {MakeRows(rewriter, *q), MakeRows(rewriter, *k), MakeRows(rewriter, *v)};
  const ValueId mask = MakeMask(rewriter, scores, *q);
  if (const auto offset = CausalOffset(graph, mask)) {
    attributes["causal"] = int64_t{1};
    attributes["causal_offset"] = *offset;
  } else if (mask != kNoValue) {
    inputs.push_back(mask);
  }
  const Type type = Type::Tensor(DType::kFloat32, {q->batch_size, q->token_count, Dim(heads * head_size)});
  const ValueId rows = rewriter.Append("Attention", kTamisDomain, inputs, std::move(attributes),
                                       graph.value(output).name + "_attention", type);
  SplitHeads(rewriter, id, rows, heads, head_size);
}

}  // namespace

Status RecognizeAttention(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed && graph.node(id).Is("MatMul")) Recognise(rewriter, id, options);
  }
  // Products that stay don't round, and equal ones are to be equal problems of the tuner.
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !graph.node(id).Has(kRoundedScales)) continue;
    graph.node(id).attributes.erase(kRoundedScales);
    graph.node(id).attributes.erase(kRoundedZeros);
    options.Edited();
  }
  return {};
}

}  // namespace tamis
