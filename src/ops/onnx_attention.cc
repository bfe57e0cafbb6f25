// Attention of ai.onnx: softmax(q . k^T * scale + mask) . v over heads, [B, H, S, D] or packed as [B, S, H * D].
//
// Keys and values may be appended to a cache here (past and present), or be a cache of which nonpad_kv_seqlen says how
// much is filled. Query heads share key heads in groups. Half-precision operands are rounded after every step of the
// operator's definition. (The fused operator of the tamis domain is src/ops/attention.cc.)
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_case.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_round.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

enum Input : size_t { kQuery, kKey, kValue, kMask, kPastKey, kPastValue, kFilled };
enum Output : size_t { kY, kPresentKey, kPresentValue, kScores };
enum class ScoresMode : int64_t { kRaw, kCapped, kBiased, kSoftmax };

// An operand as [batch, heads, length, size].
struct Heads {
  Dim batch, heads, length, size;
};

std::optional<Heads> ReadHeads(const Operands& operands, size_t i, const char* attribute, NodeProblems* problems) {
  const Shape& shape = *operands.shape(i);
  if (shape.size() == 4) return Heads{shape[0], shape[1], shape[2], shape[3]};
  if (shape.size() != 3) {
    problems->Add("input {} has shape {} but must have 3 or 4 dimensions", i, ToString(shape));
    return std::nullopt;
  }
  const int64_t heads = operands.node().Int(attribute, 0);
  if (heads < 1) {
    problems->Add("operands of 3 dimensions need the attribute {}, which is {}", attribute, heads);
    return std::nullopt;
  }
  if (!MayEqual(Dim::Mod(shape[2], Dim(heads)), Dim(0))) {
    problems->Add("the last dimension of input {} {} does not divide into {} heads", i, ToString(shape), heads);
    return std::nullopt;
  }
  return Heads{shape[0], Dim(heads), shape[1], Dim::FloorDiv(shape[2], Dim(heads))};
}

void CheckAttributes(const Operands& operands, NodeProblems* problems) {
  const Node& node = operands.node();
  if (const int64_t mode = node.Int("qk_matmul_output_mode", 0); mode < 0 || mode > 3) {
    problems->Add("attribute qk_matmul_output_mode is {} but must be 0 to 3", mode);
  }
  if (const float cap = node.Float("softcap", 0); !(cap >= 0)) problems->Add("attribute softcap is {}", cap);
  for (const char* window : {"left_window_size", "right_window_size"}) {
    if (const int64_t size = node.Int(window, -1); size < -1) {
      problems->Add("attribute {} is {} but must be -1 or more", window, size);
    }
  }
  const int64_t precision = node.Int("softmax_precision", 0);
  if (precision != 0 && precision != 1 && precision != 10 && precision != 11 && precision != 16) {
    problems->Add("attribute softmax_precision is {} but must name a float type", precision);
  }
}

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 7, &problems);
  for (const size_t i : {kQuery, kKey, kValue, kPastKey, kPastValue}) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({kQuery, kKey, kPastKey}, &problems);
  operands.CheckSameDType({kValue, kPastValue}, &problems);
  operands.CheckDType(kFilled, {DType::kInt64}, &problems);
  operands.CheckDType(kMask, {DType::kBool, DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16},
                      &problems);
  CheckAttributes(operands, &problems);
  if (operands.Has(kPastKey) != operands.Has(kPastValue)) problems.Add("past_key and past_value go together");
  if (operands.Has(kPastKey) && operands.Has(kFilled)) {
    problems.Add("nonpad_kv_seqlen describes a cache that the inputs hold, which past_key and past_value contradict");
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType dtype = operands.dtype(kQuery);
  const DType v_dtype = operands.dtype(kValue);
  const std::vector<Type> unknown = {Unranked(dtype), Unranked(dtype), Unranked(v_dtype), Unranked(dtype)};
  const bool known = operands.shape(kQuery) && operands.shape(kKey) && operands.shape(kValue);
  if (!known || (operands.Has(kPastKey) && !(operands.shape(kPastKey) && operands.shape(kPastValue)))) return unknown;

  const auto q = ReadHeads(operands, kQuery, "q_num_heads", &problems);
  const auto k = ReadHeads(operands, kKey, "kv_num_heads", &problems);
  const auto v = ReadHeads(operands, kValue, "kv_num_heads", &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const bool packed = operands.shape(kQuery)->size() == 3;
  if (operands.shape(kKey)->size() != operands.shape(kQuery)->size() ||
      operands.shape(kValue)->size() != operands.shape(kQuery)->size()) {
    problems.Add("query {}, key {} and value {} must have equally many dimensions", ToString(*operands.shape(kQuery)),
                 ToString(*operands.shape(kKey)), ToString(*operands.shape(kValue)));
  }
  const auto agree = [&](const Dim& a, const Dim& b, const char* what) {
    if (!MayEqual(a, b)) problems.Add("{} of {} and {} do not fit together", what, a.ToString(), b.ToString());
  };
  agree(q->batch, k->batch, "batches");
  agree(q->batch, v->batch, "batches");
  agree(q->size, k->size, "head sizes of query and key");
  agree(k->heads, v->heads, "heads of key and value");
  agree(k->length, v->length, "lengths of key and value");
  if (k->heads == Dim(0) || !MayEqual(Dim::Mod(q->heads, k->heads), Dim(0))) {
    problems.Add("{} query heads do not share {} key heads evenly", q->heads.ToString(), k->heads.ToString());
  }
  Dim past(0);
  if (operands.Has(kPastKey)) {
    const auto check = [&](size_t i, const Dim& size) {
      const Shape* shape = operands.shape(i);
      if (shape->size() == 4) past = (*shape)[2];
      operands.CheckShape(i, {q->batch, k->heads, past, size}, &problems);
    };
    check(kPastKey, k->size);
    check(kPastValue, v->size);
  }
  operands.CheckShape(kFilled, {q->batch}, &problems);
  const Dim total = past + k->length;
  if (const Shape* mask = operands.shape(kMask); mask != nullptr) {
    Shape wide = *mask;
    if (wide.empty()) {
      problems.Add("the mask is a scalar but must have 1 to 4 dimensions");
    } else {
      const auto have = wide.back().Constant();
      const auto want = total.Constant();
      if (have && want && *have > *want) problems.Add("the mask {} is longer than {} keys", ToString(wide), *want);
      wide.back() = total;  // a shorter one hides the keys after its end
      if (!BroadcastsTo(wide, {q->batch, q->heads, q->length, total})) {
        problems.Add("the mask {} does not fit [{}, {}, {}, {}]", ToString(*mask), q->batch.ToString(),
                     q->heads.ToString(), q->length.ToString(), total.ToString());
      }
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape y =
      packed ? Shape{q->batch, q->length, q->heads * v->size} : Shape{q->batch, q->heads, q->length, v->size};
  return std::vector<Type>{Type::Tensor(dtype, y), Type::Tensor(dtype, {q->batch, k->heads, total, k->size}),
                           Type::Tensor(v_dtype, {q->batch, k->heads, total, v->size}),
                           Type::Tensor(dtype, {q->batch, q->heads, q->length, total})};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

// f64[batch, heads, length, size] of an operand in either layout.
Tensor Unpacked(const Tensor& tensor, int64_t heads) {
  Tensor wide = Centered(tensor, nullptr, DType::kFloat64);
  if (tensor.rank() == 4) return wide;
  const int64_t batch = tensor.dim(0), length = tensor.dim(1);
  const int64_t size = heads == 0 ? 0 : tensor.dim(2) / heads;
  Tensor result(DType::kFloat64, {batch, heads, length, size});
  const auto* from = wide.Data<double>();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t s = 0; s < length; ++s) {
      for (int64_t h = 0; h < heads; ++h, from += size) {
        std::copy_n(from, size, result.Data<double>() + ((b * heads + h) * length + s) * size);
      }
    }
  }
  return result;
}

// `past` followed by `next` along the length.
Tensor Appended(const Tensor* past, const Tensor& next) {
  if (past == nullptr) return next;
  const Tensor before = Centered(*past, nullptr, DType::kFloat64);
  Dims dims = next.dims();
  dims[2] += before.dim(2);
  Tensor result(DType::kFloat64, dims);
  const int64_t old_size = before.dim(2) * before.dim(3);
  const int64_t new_size = next.dim(2) * next.dim(3);
  auto* to = result.Data<double>();
  for (int64_t i = 0; i < dims[0] * dims[1]; ++i) {
    to = std::copy_n(before.Data<double>() + i * old_size, old_size, to);
    to = std::copy_n(next.Data<double>() + i * new_size, new_size, to);
  }
  return result;
}

void Write(EvalContext& context, size_t output, const Tensor& values) {
  if (output >= context.outputs.size()) return;
  WriteWide<double>(context.outputs[output], 0, values.Span<double>());
}

// What is added to the score of a key: -inf hides it.
class Bias {
 public:
  Bias(const EvalContext& context, int64_t heads, int64_t queries)
      : causal_(context.node.Int("is_causal", 0) != 0),
        left_(std::min(context.node.Int("left_window_size", -1), kMaxElements)),
        right_(std::min(context.node.Int("right_window_size", -1), kMaxElements)),
        queries_(queries),
        past_(context.input(kPastKey) != nullptr ? context.input(kPastKey)->dim(2) : 0) {
    if (context.input(kFilled) != nullptr) filled_ = context.input(kFilled)->ToInt64s();
    for (int64_t& filled : filled_) filled = std::clamp(filled, -kMaxElements, kMaxElements);
    const Tensor* mask = context.input(kMask);
    if (mask == nullptr) return;
    mask_keys_ = mask->dims().back();
    is_bool_ = mask->dtype() == DType::kBool;
    mask_ = Centered(*mask, nullptr, DType::kFloat64);
    const int64_t batch = context.input(kQuery)->dim(0);
    index_.emplace(mask->dims(), Dims{batch, heads, queries, mask_keys_});
    heads_ = heads;
  }
  double operator()(int64_t batch, int64_t head, int64_t query, int64_t key) const {
    constexpr double kHidden = -std::numeric_limits<double>::infinity();
    const int64_t filled = filled_.empty() ? INT64_MAX : filled_[static_cast<size_t>(batch)];
    if (key >= filled) return kHidden;
    const int64_t position = query + (filled_.empty() ? past_ : filled - queries_);
    if (causal_ && key > position) return kHidden;
    if (left_ >= 0 && key < position - left_) return kHidden;
    if (right_ >= 0 && key > position + right_) return kHidden;
    if (!mask_.Defined()) return 0;
    if (key >= mask_keys_) return kHidden;
    const double value =
        mask_.Data<double>()[(*index_)(((batch * heads_ + head) * queries_ + query) * mask_keys_ + key)];
    return is_bool_ ? (value != 0 ? 0 : kHidden) : value;
  }

 private:
  bool causal_;
  int64_t left_, right_, queries_, past_;
  int64_t heads_ = 0, mask_keys_ = 0;
  std::vector<int64_t> filled_;  // empty: all keys
  Tensor mask_;
  bool is_bool_ = false;
  std::optional<BroadcastIndex> index_;
};

// A row of scores as probabilities; all zero if every key is hidden.
void Softmax(std::span<double> row, const StepRounding& round) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& x : row) {
    x = round(std::exp(round(x - top)));
    sum += x;
  }
  sum = round(sum);
  for (double& x : row) x = round(x / sum);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Node& node = context.node;
  const DType dtype = context.input(kQuery)->dtype();
  const StepRounding round(dtype);
  const auto precision = static_cast<DType>(node.Int("softmax_precision", static_cast<int64_t>(dtype)));
  const StepRounding softmax_round(precision);
  const Tensor q = Unpacked(*context.input(kQuery), node.Int("q_num_heads", 0));
  const Tensor k = Appended(context.input(kPastKey), Unpacked(*context.input(kKey), node.Int("kv_num_heads", 0)));
  const Tensor v = Appended(context.input(kPastValue), Unpacked(*context.input(kValue), node.Int("kv_num_heads", 0)));
  Write(context, kPresentKey, k);
  Write(context, kPresentValue, v);
  const int64_t batch = q.dim(0), heads = q.dim(1), queries = q.dim(2), size = q.dim(3);
  const int64_t keys = k.dim(2), v_size = v.dim(3);
  const int64_t group = k.dim(1) == 0 ? 1 : heads / k.dim(1);
  const double scale =
      node.Has("scale") ? static_cast<double>(node.Float("scale", 1)) : 1 / std::sqrt(static_cast<double>(size));
  const double factor = round(std::sqrt(scale));
  const auto cap = static_cast<double>(node.Float("softcap", 0));
  const auto mode = static_cast<ScoresMode>(node.Int("qk_matmul_output_mode", 0));
  const bool packed = context.input(kQuery)->rank() == 3;
  const Bias bias(context, heads, queries);
  Tensor scores(DType::kFloat64, {batch, heads, queries, keys});
  std::vector<double> row(static_cast<size_t>(keys)), query(static_cast<size_t>(size)),
      sum(static_cast<size_t>(v_size));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t shared = b * k.dim(1) + h / group;
      const double* k_head = k.Data<double>() + shared * keys * size;
      const double* v_head = v.Data<double>() + shared * keys * v_size;
      for (int64_t s = 0; s < queries; ++s) {
        const int64_t at = (b * heads + h) * queries + s;
        const double* q_row = q.Data<double>() + at * size;
        double* shown = scores.Data<double>() + at * keys;
        std::transform(q_row, q_row + size, query.begin(), [&](double x) { return round(x * factor); });
        bool hidden = true;
        for (int64_t j = 0; j < keys; ++j) {
          double score = 0;
          for (int64_t d = 0; d < size; ++d) {
            score += query[static_cast<size_t>(d)] * round(k_head[j * size + d] * factor);
          }
          score = round(score);
          const double capped = cap > 0 ? round(round(std::tanh(round(score / cap))) * cap) : score;
          const double added = bias(b, h, s, j);
          const bool gone = std::isinf(added) && added < 0;
          hidden = hidden && gone;
          row[static_cast<size_t>(j)] = gone ? added : round(capped + added);
          shown[j] = mode == ScoresMode::kRaw      ? score
                     : mode == ScoresMode::kCapped ? capped
                                                   : row[static_cast<size_t>(j)];
        }
        if (hidden) {
          std::fill(row.begin(), row.end(), 0.0);
        } else {
          Softmax(row, softmax_round);
        }
        if (mode == ScoresMode::kSoftmax) std::copy(row.begin(), row.end(), shown);
        std::fill(sum.begin(), sum.end(), 0.0);
        for (int64_t j = 0; j < keys; ++j) {
          const double weight = round(row[static_cast<size_t>(j)]);
          if (weight == 0) continue;  // what is hidden may hold anything
          for (int64_t d = 0; d < v_size; ++d) sum[static_cast<size_t>(d)] += weight * v_head[j * v_size + d];
        }
        const int64_t to = packed ? ((b * queries + s) * heads + h) * v_size : at * v_size;
        WriteWide<double>(context.outputs[kY], to, sum);
      }
    }
  }
  Write(context, kScores, scores);
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xa77e);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 4, 5}), make.Floats({2, 3, 6, 5}), make.Floats({2, 3, 6, 7})}, {}});
  cases.push_back({{make.Floats({2, 4, 12}), make.Floats({2, 6, 6}), make.Floats({2, 6, 8}), make.Floats({4, 6})},
                   {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"softcap", 2.0f}}});
  cases.push_back({{make.Floats({1, 2, 3, 4}), make.Floats({1, 1, 3, 4}), make.Floats({1, 1, 3, 4}), Tensor(),
                    make.Floats({1, 1, 5, 4}), make.Floats({1, 1, 5, 4})},
                   {{"is_causal", int64_t{1}}, {"scale", 0.3f}}});
  cases.push_back({{make.Floats({2, 2, 3, 4}), make.Floats({2, 2, 6, 4}), make.Floats({2, 2, 6, 4}), Tensor(), Tensor(),
                    Tensor(), Tensor::Int64s(std::vector<int64_t>{2, 5})},
                   {{"is_causal", int64_t{1}}}});
  return cases;
}

}  // namespace

extern const OpDef op_onnx_attention = {.name = "Attention",
                                        .domain = "",
                                        .since_opset = 1,
                                        .infer = Infer,
                                        .eval = Eval,
                                        .test_cases = TestCases,
                                        .widen_half = false};

}  // namespace tamis
