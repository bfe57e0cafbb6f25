#include "src/compiler/prune/prune_tokens.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

#include "src/runtime/node_runner.h"

namespace tamis {
namespace {

constexpr float kHidden = -1e4F;  // a score moved by so much has no weight after softmax, even in half precision

bool HasWeights(const Node& node) {
  return node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv");
}

// Nodes that `value` depends on, in execution order; nullopt if one of them has weights or regions, or there is no
// graph input among them.
std::optional<std::vector<NodeId>> Ancestors(const Graph& graph, ValueId value) {
  std::set<ValueId> needed = {value};
  std::vector<NodeId> nodes;
  const std::vector<NodeId> order = graph.NodeIds();
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const Node& node = graph.node(*it);
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(),
                                  [&](ValueId v) { return v != kNoValue && needed.count(v) != 0; });
    if (!used) continue;
    if (HasWeights(node) || !node.regions.empty()) return std::nullopt;
    nodes.push_back(*it);
    needed.insert(node.inputs.begin(), node.inputs.end());
  }
  const bool from_input =
      std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId v) { return needed.count(v) != 0; });
  if (!from_input) return std::nullopt;
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

TokenFlags FlagsOfMean(const Tensor& mask) {
  const Tensor weights = mask.ToFloat32();
  TokenFlags flags{mask.dim(0), mask.dim(1), {}};
  for (const float w : weights.Span<float>()) flags.real.push_back(w != 0);
  return flags;
}

// Of an additive mask that broadcasts to [batch, heads, queries, tokens].
TokenFlags FlagsOfScores(const Tensor& mask, int64_t batch, int64_t tokens) {
  const Tensor scores = mask.ToFloat32();
  Dims dims = scores.dims();
  dims.insert(dims.begin(), static_cast<size_t>(4 - std::min<int64_t>(4, scores.rank())), 1);
  TokenFlags flags{batch, tokens, std::vector<uint8_t>(static_cast<size_t>(batch * tokens), 0)};
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t mb = dims[0] == 1 ? 0 : b, mt = dims[3] == 1 ? 0 : t;
      uint8_t real = 0;
      for (int64_t other = 0; other < dims[1] * dims[2]; ++other) {
        real |= scores.Data<float>()[(mb * dims[1] * dims[2] + other) * dims[3] + mt] > kHidden;
      }
      flags.real[static_cast<size_t>(b * tokens + t)] = real;
    }
  }
  return flags;
}

}  // namespace

std::optional<TokenMask> FindTokenMask(const Graph& fused) {
  for (const NodeId id : fused.NodeIds()) {
    const Node& node = fused.node(id);
    const bool mean = node.IsTamis("MaskedMean"), attention = node.IsTamis("Attention");
    const ValueId mask = mean || attention ? node.input(mean ? 1 : 3) : kNoValue;
    if (mask == kNoValue || fused.value(mask).IsConstant() || !Ancestors(fused, mask)) continue;
    const Type& type = fused.value(node.input(mean ? 0 : 1)).type;
    if (!type.has_rank || type.shape.size() != 3) continue;
    return TokenMask{id, mask, type.shape[0], type.shape[1]};
  }
  return std::nullopt;
}

Result<TokenFlags> EvaluateTokenMask(const Graph& fused, const TokenMask& mask, const NamedTensors& inputs,
                                     std::shared_ptr<ThreadPool> pool) {
  NodeRunner runner(std::move(pool));
  std::vector<Tensor> values(fused.NumValues());
  std::map<std::string, int64_t> binding;
  for (const ValueId id : fused.inputs) {
    const Value& value = fused.value(id);
    const auto found = inputs.find(value.name);
    if (found == inputs.end()) return UserError("input '{}' is missing", value.name);
    values[static_cast<size_t>(id)] = found->second;
    for (size_t i = 0; value.type.has_rank && i < value.type.shape.size(); ++i) {
      binding[value.type.shape[i].ToString()] = found->second.dims()[i];
    }
  }
  const auto ancestors = Ancestors(fused, mask.mask);
  TAMIS_ASSERT(ancestors.has_value());
  for (const NodeId id : *ancestors) {
    const Node& node = fused.node(id);
    std::vector<const Tensor*> operands;
    for (const ValueId v : node.inputs) {
      const bool ready = v != kNoValue && values[static_cast<size_t>(v)].Defined();
      operands.push_back(ready ? &values[static_cast<size_t>(v)] : nullptr);
    }
    TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, runner.Run(fused, id, operands));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) values[static_cast<size_t>(node.outputs[i])] = outputs[i];
    }
  }
  const Tensor& result = values[static_cast<size_t>(mask.mask)];
  const auto batch = mask.batch.Evaluate(binding), tokens = mask.tokens.Evaluate(binding);
  if (!batch || !tokens) return InternalError("the size of the token mask does not follow from the inputs");
  if (fused.node(mask.node).IsTamis("MaskedMean")) {
    if (result.dims() == Dims{*batch, *tokens}) return FlagsOfMean(result);
  } else if (const Dims& dims = result.dims(); dims.size() <= 4) {
    const int64_t last = dims.empty() ? 1 : dims.back(), first = dims.size() < 4 ? 1 : dims[0];
    if ((last == 1 || last == *tokens) && (first == 1 || first == *batch)) {
      return FlagsOfScores(result, *batch, *tokens);
    }
  }
  return InternalError("a token mask of shape {}", ToString(result.dims()));
}

bool KeepRealTokens(const TokenMask& mask, const TokenFlags& flags, const Shape& shape,
                    std::vector<int64_t>* positions) {
  if (shape.size() < 2) return false;
  const bool split = shape.size() >= 3 && shape[0] == mask.batch && shape[1] == mask.tokens;
  const bool flat = shape[0] == mask.batch * mask.tokens;
  if (!split && !flat) return false;
  int64_t inner = 1;  // positions of one token
  for (size_t i = split ? 2 : 1; i + 1 < shape.size(); ++i) {
    const auto size = shape[i].Constant();
    if (!size) return false;
    inner *= *size;
  }
  std::erase_if(*positions, [&](int64_t p) {
    const auto token = static_cast<size_t>(p / inner);
    return token < flags.real.size() && flags.real[token] == 0;
  });
  return true;
}

bool AnswersOnce(const Graph& fused, const TokenMask& mask) {
  return std::none_of(fused.outputs.begin(), fused.outputs.end(), [&](ValueId id) {
    const Type& type = fused.value(id).type;
    return !type.has_rank || std::any_of(type.shape.begin(), type.shape.end(), [&](const Dim& dim) {
      return dim == mask.tokens || dim == mask.batch * mask.tokens;
    });
  });
}

std::vector<float> EvenShares(const TokenFlags& flags) {
  std::vector<float> shares;
  for (int64_t sample = 0; sample < flags.batch; ++sample) {
    const auto begin = flags.real.begin() + sample * flags.tokens;
    const auto real = std::count(begin, begin + flags.tokens, uint8_t{1});
    shares.push_back(1 / static_cast<float>(std::max<int64_t>(1, real)));
  }
  return shares;
}

namespace {

struct Sample {
  size_t batch;
  int64_t row;
  int64_t length;
};

// Row `row` of the first axis, its second axis cut to `length` if `cut`, into row `target` of `out`.
void CopySample(const Tensor& from, int64_t row, bool cut, int64_t length, int64_t target, Tensor* out) {
  const size_t bytes = from.NumBytes() / static_cast<size_t>(from.dim(0));
  const size_t used = cut ? bytes / static_cast<size_t>(from.dim(1)) * static_cast<size_t>(length) : bytes;
  std::memcpy(out->raw() + used * static_cast<size_t>(target), from.raw() + bytes * static_cast<size_t>(row), used);
}

bool StartsWith(const Type& type, const Dim& batch) {
  return type.has_rank && !type.shape.empty() && type.shape[0] == batch;
}

}  // namespace

Result<std::vector<NamedTensors>> TrimPadding(const Graph& fused, const TokenMask& mask,
                                              std::vector<NamedTensors> batches, int64_t batch,
                                              std::shared_ptr<ThreadPool> pool) {
  std::set<std::string> cut;  // inputs with the token axis in second place
  for (const ValueId id : fused.inputs) {
    const Value& value = fused.value(id);
    if (!StartsWith(value.type, mask.batch)) return batches;
    const Shape& shape = value.type.shape;
    if (shape.size() >= 2 && shape[1] == mask.tokens) cut.insert(value.name);
    for (size_t i = 2; i < shape.size(); ++i) {
      if (shape[i] == mask.tokens) return batches;
    }
  }
  if (cut.empty() || mask.tokens.IsConstant() || mask.batch.IsConstant()) return batches;
  std::vector<Sample> samples;
  for (size_t b = 0; b < batches.size(); ++b) {
    TAMIS_ASSIGN_OR_RETURN(const TokenFlags flags, EvaluateTokenMask(fused, mask, batches[b], pool));
    for (int64_t row = 0; row < flags.batch; ++row) {
      const uint8_t* real = flags.real.data() + row * flags.tokens;
      int64_t length = flags.tokens;
      while (length > 1 && real[length - 1] == 0) --length;
      samples.push_back({b, row, length});
    }
  }
  std::stable_sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.length < b.length; });
  std::vector<NamedTensors> trimmed;
  for (size_t begin = 0; begin < samples.size(); begin += static_cast<size_t>(batch)) {
    const size_t end = std::min(samples.size(), begin + static_cast<size_t>(batch));
    const int64_t longest = samples[end - 1].length;
    NamedTensors& target = trimmed.emplace_back();
    for (const auto& [name, first] : batches[0]) {
      Dims dims = first.dims();
      dims[0] = static_cast<int64_t>(end - begin);
      if (cut.count(name) != 0) dims[1] = longest;
      Tensor& tensor = target[name] = Tensor(first.dtype(), dims);
      for (size_t i = begin; i < end; ++i) {
        CopySample(batches[samples[i].batch].at(name), samples[i].row, cut.count(name) != 0, longest,
                   static_cast<int64_t>(i - begin), &tensor);
      }
    }
  }
  return trimmed;
}

}  // namespace tamis
