#include <fmt/format.h>

#include <map>

#include "src/compiler/gate/bisect.h"
#include "src/runtime/node_runner.h"
#include "src/runtime/prepared_node.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Judges blocks against their layers one by one, on what the references of a network give them.
class BlockJudge {
 public:
  BlockJudge(const Graph& fused, const Trace& values, Graph concrete, int threads)
      : values_(values), concrete_(std::move(concrete)), pool_(std::make_shared<ThreadPool>(threads)), runner_(pool_) {
    for (size_t i = 0; i < fused.NumValues(); ++i) by_name_[fused.value(static_cast<ValueId>(i)).name] = i;
  }

  Result<ValueError> Error(const BlockSpec& spec) {
    TAMIS_ASSIGN_OR_RETURN(const Tensor one_by_one, RunLayers(spec));
    TAMIS_ASSIGN_OR_RETURN(const Tensor together, RunBlock(spec));
    return ErrorOf(together, one_by_one);
  }

 private:
  Result<const Tensor*> ValueOf(const std::string& name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end() || !values_[found->second].IsTensor())
      return UserError("there is no tensor '{}'", name);
    return &values_[found->second].tensor();
  }

  Result<NodeId> Producer(const Graph& graph, const std::string& name) const {
    for (const NodeId id : graph.NodeIds()) {
      if (FirstOutput(graph.node(id)) != kNoValue && graph.value(FirstOutput(graph.node(id))).name == name) return id;
    }
    return UserError("no node makes '{}'", name);
  }

  // The last layer's result.
  Result<Tensor> RunLayers(const BlockSpec& spec) {
    Tensor before;
    for (size_t k = 0; k < spec.layers.size(); ++k) {
      TAMIS_ASSIGN_OR_RETURN(const NodeId id, Producer(concrete_, spec.layers[k]));
      const Node& node = concrete_.node(id);
      std::vector<const Tensor*> operands(node.inputs.size(), nullptr);
      for (size_t i = 0; i < operands.size(); ++i) {
        if (node.inputs[i] == kNoValue || concrete_.value(node.inputs[i]).IsConstant()) continue;
        if (k > 0 && i == 0) {
          operands[i] = &before;
        } else {
          TAMIS_ASSIGN_OR_RETURN(operands[i], ValueOf(concrete_.value(node.inputs[i]).name));
        }
      }
      NodeRunner::Choice choice;
      choice.wish = spec.kernels[k];
      TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> results, runner_.Run(concrete_, id, operands, &choice));
      runner_.Forget(id);
      if (choice.tactic != spec.kernels[k]) {
        return UserError("'{}' runs on {}, not on {}", spec.layers[k], choice.tactic, spec.kernels[k]);
      }
      before = results[0];
    }
    return before;
  }

  Result<Tensor> RunBlock(const BlockSpec& spec) {
    Graph formed = concrete_.Clone();
    if (!FormBlock(formed, spec)) return UserError("its layers can't be formed to a block here");
    TAMIS_ASSIGN_OR_RETURN(const NodeId id, Producer(formed, spec.layers.back()));
    const Node& node = formed.node(id);
    TAMIS_ASSIGN_OR_RETURN(const auto prepared, PreparedNode::Make(formed, node, pool_->threads(), "", cache_));
    std::vector<const void*> operands(node.inputs.size(), nullptr);
    for (size_t i = 0; i < operands.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      TAMIS_ASSIGN_OR_RETURN(const Tensor* const tensor, ValueOf(formed.value(node.inputs[i]).name));
      operands[i] = tensor->raw();
    }
    const Operand& y = prepared->problem().outputs[0];
    Tensor result(y.dtype, y.dims);
    void* out = result.raw();
    PackedBytes workspace(prepared->WorkspaceBytes());
    TAMIS_RETURN_IF_ERROR(prepared->Run(operands, {&out, 1}, workspace.data(), *pool_));
    return result;
  }

  const Trace& values_;
  Graph concrete_;
  std::shared_ptr<ThreadPool> pool_;
  NodeRunner runner_;
  PackCache cache_;
  std::map<std::string_view, size_t> by_name_;
};

}  // namespace

Result<BisectReport> BisectBlocks(const Graph& fused, const NamedTensors& inputs, std::span<const BlockSpec> blocks,
                                  const BisectOptions& options) {
  BisectReport report;
  report.stage = "blocks";
  TAMIS_ASSIGN_OR_RETURN(const Trace values, TraceReference(fused, inputs));
  std::vector<Dims> dims;
  for (const ValueId id : fused.inputs) dims.push_back(values[static_cast<size_t>(id)].tensor().dims());
  TAMIS_ASSIGN_OR_RETURN(Graph concrete, Specialize(fused, dims));
  BlockJudge judge(fused, values, std::move(concrete), options.threads);
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string& name = blocks[i].layers.back();
    if (options.progress) options.progress(static_cast<int>(i), static_cast<int>(blocks.size()), name);
    const auto error = judge.Error(blocks[i]);
    BisectTrial trial{fmt::format("{} as a block of {}", name, fmt::join(blocks[i].layers, ", ")),
                      error.ok() ? error->relative : 0, error.ok() ? "" : error.status().message()};
    if (error.ok() && error->relative <= options.tolerance) continue;
    if (error.ok() && !report.parting) {
      Parting& parting = report.parting.emplace();
      parting.value = name;
      parting.error = *error;
      parting.op = "tamis.RowBlock";
      parting.other_op = "its layers one by one";
      parting.kernel = fmt::format("row_block of {}", fmt::join(blocks[i].kernels, ", "));
    }
    report.trials.push_back(std::move(trial));
  }
  return report;
}

}  // namespace tamis
