#include "src/compiler/prune/prune_run.h"

#include <algorithm>
#include <functional>
#include <span>

namespace tamis {

PairedRun::PairedRun(const Graph& dense, const Graph& pruned, std::shared_ptr<ThreadPool> pool)
    : dense_graph_(dense),
      pruned_graph_(pruned),
      linear_graph_(dense.Clone()),
      dense_runner_(pool),
      pruned_runner_(pool),
      linear_runner_(pool) {
  for (const NodeId id : linear_graph_.NodeIds()) {
    Node& node = linear_graph_.node(id);
    if (node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv")) node.attributes.erase("activation");
  }
}

bool PairedRun::SameOperands(size_t batch, const Node& node) const {
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) {
    return v == kNoValue || static_cast<size_t>(v) >= dense_[batch].size() || dense_graph_.value(v).IsConstant() ||
           Same(batch, v);
  });
}

Result<Tensor> PairedRun::DenseResult(size_t batch, NodeId id) {
  TAMIS_ASSIGN_OR_RETURN(const auto dense, RunNode(linear_runner_, linear_graph_, id, dense_[batch]));
  return dense[0].ToFloat32();
}

Result<std::optional<Tensor>> PairedRun::Gap(size_t batch, NodeId id) {
  if (SameOperands(batch, linear_graph_.node(id))) return std::optional<Tensor>();
  TAMIS_ASSIGN_OR_RETURN(const Tensor dense, DenseResult(batch, id));
  TAMIS_ASSIGN_OR_RETURN(const auto pruned, RunNode(linear_runner_, linear_graph_, id, pruned_[batch]));
  Tensor gap = dense.Clone();
  const Tensor other = pruned[0].ToFloat32();
  const std::span<float> of = gap.Span<float>();
  std::transform(of.begin(), of.end(), other.Span<float>().begin(), of.begin(), std::minus<>());
  return std::optional<Tensor>(std::move(gap));
}

Status PairedRun::Keep(std::vector<Tensor>* outputs) const {
  for (Tensor& output : *outputs) {
    if (store_ == nullptr) break;
    TAMIS_ASSIGN_OR_RETURN(output, store_->Keep(output));
  }
  return {};
}

void PairedRun::Rest(size_t batch) const {
  if (store_ == nullptr) return;
  for (const auto* values : {&dense_, &pruned_}) {
    for (const Tensor& value : (*values)[batch]) TensorStore::Rest(value);
  }
}

Status PairedRun::Start(std::span<const NamedTensors> batches, std::shared_ptr<TensorStore> store) {
  store_ = std::move(store);
  dense_.assign(batches.size(), Values(dense_graph_.NumValues()));
  for (size_t b = 0; b < batches.size(); ++b) {
    for (const ValueId id : dense_graph_.inputs) {
      const auto found = batches[b].find(dense_graph_.value(id).name);
      if (found == batches[b].end()) return UserError("input '{}' is missing", dense_graph_.value(id).name);
      dense_[b][static_cast<size_t>(id)] = found->second;
    }
  }
  pruned_ = dense_;
  return {};
}

Result<std::vector<Tensor>> PairedRun::RunNode(NodeRunner& runner, const Graph& graph, NodeId id,
                                               const Values& values) {
  std::vector<const Tensor*> operands;
  for (const ValueId v : graph.node(id).inputs) {
    const bool computed = v != kNoValue && static_cast<size_t>(v) < values.size() && !graph.value(v).IsConstant();
    operands.push_back(computed ? &values[static_cast<size_t>(v)] : nullptr);
  }
  auto outputs = runner.Run(graph, id, operands);
  if (!outputs.ok())
    return outputs.status().WithContext(fmt::format("{} '{}'", graph.node(id).op, graph.node(id).name));
  return outputs;
}

Status PairedRun::RunDense(NodeId id) {
  const Node& node = dense_graph_.node(id);
  for (size_t b = 0; b < dense_.size(); ++b) {
    TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, RunNode(dense_runner_, dense_graph_, id, dense_[b]));
    TAMIS_RETURN_IF_ERROR(Keep(&outputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const auto v = static_cast<size_t>(node.outputs[i]);
      dense_[b][v] = pruned_[b][v] = outputs[i];
    }
    Rest(b);
  }
  dense_runner_.Forget(id);
  linear_runner_.Forget(id);
  return {};
}

Status PairedRun::RunPruned(NodeId id, bool changed) {
  const Node& node = pruned_graph_.node(id);
  for (size_t b = 0; b < pruned_.size(); ++b) {
    if (!changed && SameOperands(b, node)) continue;
    TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, RunNode(pruned_runner_, pruned_graph_, id, pruned_[b]));
    TAMIS_RETURN_IF_ERROR(Keep(&outputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) pruned_[b][static_cast<size_t>(node.outputs[i])] = outputs[i];
    }
    Rest(b);
  }
  pruned_runner_.Forget(id);
  return {};
}

void PairedRun::Release(ValueId value) {
  for (auto* values : {&dense_, &pruned_}) {
    for (Values& of_batch : *values) of_batch[static_cast<size_t>(value)] = Tensor();
  }
}

void PairedRun::ReleaseAfter(NodeId id, const std::vector<NodeId>& last) {
  for (size_t v = 0; v < last.size(); ++v) {
    const auto value = static_cast<ValueId>(v);
    if (last[v] == id || (last[v] == kNoNode && dense_graph_.value(value).producer == id)) Release(value);
  }
}

std::vector<NodeId> LastReaders(const Graph& graph) {
  std::vector<NodeId> last(graph.NumValues(), kNoNode);
  const auto users = graph.Users();
  for (size_t v = 0; v < users.size(); ++v) {
    for (const NodeId id : users[v]) last[v] = std::max(last[v], id);
  }
  return last;
}

size_t ValueBytes(const Graph& graph, const NamedTensors& inputs, bool hold_all) {
  std::map<std::string, int64_t> binding;
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    const auto found = inputs.find(value.name);
    if (found == inputs.end() || !value.type.has_rank) continue;
    for (size_t i = 0; i < std::min(value.type.shape.size(), found->second.dims().size()); ++i) {
      binding[value.type.shape[i].ToString()] = found->second.dims()[i];
    }
  }
  const auto bytes = [&](ValueId id) -> size_t {
    const Value& value = graph.value(id);
    if (value.IsConstant() || !value.type.has_rank) return 0;
    Dims dims;
    for (const Dim& dim : value.type.shape) dims.push_back(dim.Evaluate(binding).value_or(0));
    return ByteSize(value.type.dtype, static_cast<size_t>(std::max<int64_t>(0, NumElements(dims))));
  };
  const std::vector<NodeId> last = LastReaders(graph);
  size_t live = 0, peak = 0;
  for (const ValueId id : graph.inputs) live += bytes(id);
  for (const NodeId id : graph.NodeIds()) {
    for (const ValueId v : graph.node(id).outputs) live += v == kNoValue ? 0 : bytes(v);
    peak = std::max(peak, live);
    for (size_t v = 0; v < last.size(); ++v) {
      const auto value = static_cast<ValueId>(v);
      if (!hold_all && last[v] == id && !graph.IsOutput(value)) live -= bytes(value);
    }
  }
  return peak;
}

}  // namespace tamis
