#include "src/compiler/prune/loss_gradient.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "src/base/tensor_store.h"
#include "src/compiler/measure/score_divergence.h"
#include "src/compiler/samples/labels.h"
#include "src/runtime/node_runner.h"

namespace tamis {
namespace {

constexpr char kLabelsEntry[] = "tamis.labels";
// Of a perturbation, in root mean squares of the outputs: the loss still moves by much more than it is rounded.
constexpr double kStep = 0.05;

// A network's values for one batch, and those of the same with one of them changed.
class Probed {
 public:
  Probed(const Graph& graph, ValueId scores, std::shared_ptr<ThreadPool> pool)
      : graph_(graph), scores_(scores), order_(graph.NodeIds()), runner_(std::move(pool)) {}

  Status Run(const NamedTensors& inputs) {
    values_.assign(graph_.NumValues(), Tensor());
    for (const ValueId id : graph_.inputs) {
      const auto found = inputs.find(graph_.value(id).name);
      if (found == inputs.end()) return UserError("input '{}' is missing", graph_.value(id).name);
      values_[static_cast<size_t>(id)] = found->second;
    }
    changed_.assign(graph_.NumValues(), Tensor());
    for (const NodeId id : order_) TAMIS_RETURN_IF_ERROR(RunNode(id, &values_));
    return {};
  }

  const Tensor& Value(ValueId id) const { return values_[static_cast<size_t>(id)]; }

  // The scores where `node` gives `output`.
  Result<Tensor> ScoresWith(NodeId node, Tensor output) {
    std::fill(changed_.begin(), changed_.end(), Tensor());
    changed_[static_cast<size_t>(graph_.node(node).outputs[0])] = std::move(output);
    for (auto id = std::upper_bound(order_.begin(), order_.end(), node); id != order_.end(); ++id) {
      const auto& operands = graph_.node(*id).inputs;
      const bool reached = std::any_of(operands.begin(), operands.end(), [&](ValueId v) {
        return v != kNoValue && static_cast<size_t>(v) < changed_.size() && changed_[static_cast<size_t>(v)].Defined();
      });
      if (reached) TAMIS_RETURN_IF_ERROR(RunNode(*id, &changed_));
    }
    const Tensor& scores = changed_[static_cast<size_t>(scores_)];
    return (scores.Defined() ? scores : Value(scores_)).ToFloat32();
  }

 private:
  Status RunNode(NodeId id, std::vector<Tensor>* to) {
    const Node& node = graph_.node(id);
    std::vector<const Tensor*> operands;
    for (const ValueId v : node.inputs) {
      const bool computed = v != kNoValue && !graph_.value(v).IsConstant();
      const Tensor* changed = computed ? &changed_[static_cast<size_t>(v)] : nullptr;
      operands.push_back(!computed ? nullptr : changed->Defined() ? changed : &values_[static_cast<size_t>(v)]);
    }
    auto outputs = runner_.Run(graph_, id, operands);
    if (!outputs.ok()) return outputs.status().WithContext(fmt::format("{} '{}'", node.op, node.name));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) (*to)[static_cast<size_t>(node.outputs[i])] = (*outputs)[i];
    }
    return {};
  }

  const Graph& graph_;
  ValueId scores_;
  std::vector<NodeId> order_;
  NodeRunner runner_;
  std::vector<Tensor> values_, changed_;  // by value
};

Result<std::vector<double>> CrossEntropies(const Tensor& scores, std::span<const int64_t> labels) {
  const int64_t classes = scores.dim(1);
  if (scores.dim(0) != static_cast<int64_t>(labels.size())) {
    return UserError("{} labels for {} rows of scores; one a sample is needed", labels.size(), scores.dim(0));
  }
  const bool probabilities = AreProbabilities(scores);
  std::vector<double> losses;
  for (size_t i = 0; i < labels.size(); ++i) {
    const float* row = scores.Data<float>() + static_cast<int64_t>(i) * classes;
    losses.push_back(-LogProbabilities(row, classes, probabilities)[static_cast<size_t>(labels[i])]);
  }
  return losses;
}

// y + step * sign. What an activation cut to zero stays so: no change of the layer's sums reaches the loss there.
Tensor Moved(const Tensor& y, const std::vector<float>& signs, double step) {
  Tensor moved = y.Clone();
  const std::span<float> elements = moved.Span<float>();
  for (size_t i = 0; i < elements.size(); ++i) {
    if (elements[i] != 0) elements[i] += static_cast<float>(step) * signs[i];
  }
  return moved;
}

double RootMeanSquare(const Tensor& y) {
  double sum = 0;
  for (const float x : y.Span<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  return y.NumElements() > 0 ? std::sqrt(sum / static_cast<double>(y.NumElements())) : 0;
}

// |g|^2 of each sample, estimated.
Result<std::vector<double>> Squares(Probed& probed, NodeId node, const Tensor& y, std::span<const int64_t> labels,
                                    std::mt19937_64& random) {
  std::vector<double> squares(labels.size(), 0);
  const double step = kStep * RootMeanSquare(y);
  if (!(step > 0)) return squares;
  std::vector<float> signs(static_cast<size_t>(y.NumElements()));
  for (int probe = 0; probe < kProbes; ++probe) {
    for (float& sign : signs) sign = (random() >> 63) != 0 ? 1.0F : -1.0F;
    TAMIS_ASSIGN_OR_RETURN(const Tensor above, probed.ScoresWith(node, Moved(y, signs, step)));
    TAMIS_ASSIGN_OR_RETURN(const Tensor below, probed.ScoresWith(node, Moved(y, signs, -step)));
    TAMIS_ASSIGN_OR_RETURN(const std::vector<double> more, CrossEntropies(above, labels));
    TAMIS_ASSIGN_OR_RETURN(const std::vector<double> less, CrossEntropies(below, labels));
    for (size_t i = 0; i < squares.size(); ++i) {
      const double slope = (more[i] - less[i]) / (2 * step);
      if (std::isfinite(slope)) squares[i] += slope * slope / kProbes;
    }
  }
  return squares;
}

// Whether the first axis of the value holds the samples, and no other axis does. Fixed shapes are taken at their word.
bool LeadsWithSamples(const Graph& graph, ValueId value) {
  const Type& type = graph.value(value).type;
  const Type& input = graph.value(graph.inputs[0]).type;
  if (!type.has_rank || type.shape.empty() || !input.has_rank || input.shape.empty()) return false;
  std::vector<std::string> samples;
  input.shape[0].CollectSymbols(&samples);
  const auto follows = [&](const Dim& dim) {
    std::vector<std::string> symbols;
    dim.CollectSymbols(&symbols);
    return std::any_of(symbols.begin(), symbols.end(), [&](const std::string& symbol) {
      return std::find(samples.begin(), samples.end(), symbol) != samples.end();
    });
  };
  return samples.empty() || (follows(type.shape[0]) && std::none_of(type.shape.begin() + 1, type.shape.end(), follows));
}

}  // namespace

Result<ScoreOutput> FindScoreOutput(const Graph& graph) {
  for (const ValueId output : graph.outputs) {
    const Type& type = graph.value(output).type;
    if (!IsFloat(type.dtype) || !type.has_rank || type.shape.size() != 2) continue;
    const auto classes = type.shape[1].Constant();
    if (classes && *classes >= 2) return ScoreOutput{output, graph.value(output).name, *classes};
  }
  return UserError(
      "no output has a score for each of several classes ([samples, classes]), so labels say nothing of a loss; use "
      "the method reconstruct");
}

SampleShares SharesFromSquares(const std::vector<std::vector<double>>& squares) {
  double sum = 0, count = 0;
  const auto for_all = [&](const auto& f) {
    for (const auto& batch : squares) std::for_each(batch.begin(), batch.end(), f);
  };
  for_all([&](double square) { sum += square, ++count; });
  const double most = count > 0 ? kMostShare * sum / count : 0;
  double limited = 0;
  for_all([&](double square) { limited += std::min(square, most); });
  SampleShares shares;
  for (const std::vector<double>& batch : squares) {
    std::vector<float>& of_batch = shares.emplace_back();
    for (const double square : batch) {
      const double share = limited > 0 ? 0.5 + 0.5 * std::min(square, most) * count / limited : 1;
      of_batch.push_back(static_cast<float>(share));
    }
  }
  return shares;
}

Result<std::map<NodeId, SampleShares>> EstimateSampleShares(const Graph& fused, std::span<const NamedTensors> batches,
                                                            const LossGradientOptions& options,
                                                            std::shared_ptr<ThreadPool> pool) {
  TAMIS_ASSIGN_OR_RETURN(const ScoreOutput output, FindScoreOutput(fused));
  std::vector<int64_t> all;
  for (const auto& of_batch : options.labels) all.insert(all.end(), of_batch.begin(), of_batch.end());
  TAMIS_RETURN_IF_ERROR(CheckLabels(all, output.classes, output.name, {}));
  std::map<NodeId, std::vector<std::vector<double>>> squares;
  std::mt19937_64 random(options.seed);
  Probed probed(fused, output.value, std::move(pool));
  for (size_t b = 0; b < batches.size(); ++b) {
    TAMIS_RETURN_IF_ERROR(probed.Run(batches[b]));
    for (const NodeId node : options.nodes) {
      if (options.cancelled && options.cancelled()) return RuntimeError("pruning was interrupted");
      if (options.progress) {
        options.progress(static_cast<int>(b), static_cast<int>(batches.size()),
                         fmt::format("gradients at '{}'", fused.node(node).name));
      }
      const ValueId value = fused.node(node).outputs[0];
      const Tensor& y = probed.Value(value);
      if (y.dtype() != DType::kFloat32 || !LeadsWithSamples(fused, value)) continue;
      TAMIS_ASSIGN_OR_RETURN(std::vector<double> of_batch, Squares(probed, node, y, options.labels[b], random));
      squares[node].push_back(std::move(of_batch));
    }
    TensorStore::Rest(batches[b]);
  }
  std::map<NodeId, SampleShares> shares;
  for (const auto& [node, of_node] : squares) shares.emplace(node, SharesFromSquares(of_node));
  return shares;
}

Result<std::vector<NamedTensors>> WithLabelsBeside(std::span<const NamedTensors> batches,
                                                   std::span<const int64_t> labels) {
  std::vector<NamedTensors> labelled(batches.begin(), batches.end());
  size_t at = 0;
  for (NamedTensors& batch : labelled) {
    const bool counted = !batch.empty() && batch.begin()->second.rank() > 0;
    const size_t count = counted ? static_cast<size_t>(batch.begin()->second.dim(0)) : 0;
    if (labels.size() - at < count) {
      return UserError("the gradient of a loss takes a label for every sample, and there are {}", labels.size());
    }
    batch[kLabelsEntry] = Tensor::Of<int64_t>(DType::kInt64, {static_cast<int64_t>(count)}, labels.subspan(at, count));
    at += count;
  }
  return labelled;
}

std::vector<std::vector<int64_t>> TakeLabels(std::vector<NamedTensors>* batches) {
  std::vector<std::vector<int64_t>> labels;
  for (NamedTensors& batch : *batches) labels.push_back(batch.extract(kLabelsEntry).mapped().ToInt64s());
  return labels;
}

}  // namespace tamis
