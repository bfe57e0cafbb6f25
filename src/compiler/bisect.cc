#include "src/compiler/bisect.h"

#include <algorithm>

#include "src/runtime/node_runner.h"

namespace tamis {
namespace {

void Tell(const BisectOptions& options, size_t done, size_t total, const std::string& what) {
  if (options.progress) options.progress(static_cast<int>(done), static_cast<int>(total), what);
}

}  // namespace

Result<BisectReport> BisectPasses(const Graph& graph, const std::vector<Pass>& passes, const NamedTensors& inputs,
                                  const BisectOptions& options) {
  BisectReport report;
  report.stage = "passes";
  std::vector<Graph> after;  // after[i]: the first i passes have run
  after.push_back(graph.Clone());
  for (const Pass& pass : passes) {
    Graph next = after.back().Clone();
    const Status status = RunPasses(next, {pass}, options.passes);
    if (!status.ok()) {
      report.trials.push_back({"after " + std::string(pass.name), 0, status.message()});
      report.pass = pass.name;
      break;
    }
    after.push_back(std::move(next));
  }
  Tell(options, 0, after.size(), "the unfused graph");
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> expected, TraceReference(graph, inputs));
  const auto parts = [&](size_t count) {
    const std::string what = "after " + std::string(passes[count - 1].name) + " (pass " + std::to_string(count) +
                             " of " + std::to_string(passes.size()) + ")";
    Tell(options, report.trials.size() + 1, after.size(), what);
    BisectTrial trial{what, 0, ""};
    const auto values = TraceReference(after[count], inputs);
    if (values.ok()) {
      trial.error = OutputError(after[count], *values, graph, expected);
    } else {
      trial.failed = values.status().message();
    }
    report.trials.push_back(trial);
    return !trial.failed.empty() || trial.error > options.tolerance;
  };
  size_t good = 0, bad = after.size() - 1;
  if (bad == 0 || !parts(bad)) return report;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    (parts(middle) ? bad : good) = middle;
  }
  report.pass = passes[bad - 1].name;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> before, TraceReference(after[good], inputs));
  const auto wrong = TraceReference(after[bad], inputs);
  if (wrong.ok()) report.parting = FindParting(after[bad], *wrong, after[good], before, options.tolerance);
  return report;
}

Result<BisectReport> BisectKernels(const Graph& fused, const NamedTensors& inputs,
                                   const std::function<std::string(const std::string& node)>& wish,
                                   const BisectOptions& options) {
  BisectReport report;
  report.stage = "kernels";
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> values, TraceReference(fused, inputs));
  NodeRunner runner(std::make_shared<ThreadPool>(options.threads));
  const std::vector<NodeId> ids = fused.NodeIds();
  for (size_t i = 0; i < ids.size(); ++i) {
    const Node& node = fused.node(ids[i]);
    const std::string& name = fused.value(node.outputs[0]).name;
    Tell(options, i, ids.size(), name);
    std::vector<const Tensor*> operands;
    for (ValueId input : node.inputs) {
      const bool given = input != kNoValue && !fused.value(input).IsConstant();
      operands.push_back(given ? &values[static_cast<size_t>(input)] : nullptr);
    }
    NodeRunner::Choice choice;
    if (wish) choice.wish = wish(name);
    const auto results = runner.Run(fused, ids[i], operands, &choice);
    BisectTrial trial{name + " on " + choice.tactic, 0, ""};
    if (!results.ok()) trial.failed = results.status().message();
    for (size_t j = 0; results.ok() && j < node.outputs.size(); ++j) {
      const ValueId output = node.outputs[j];
      if (output == kNoValue) continue;
      const ValueError error = ErrorOf((*results)[j], values[static_cast<size_t>(output)]);
      trial.error = std::max(trial.error, error.relative);
      if (error.relative <= options.tolerance || report.parting) continue;
      Parting parting;
      parting.value = fused.value(output).name;
      parting.error = error;
      parting.op = parting.other_op = node.domain.empty() ? node.op : node.domain + "." + node.op;
      parting.node = node.name;
      parting.kernel = choice.tactic;
      for (ValueId input : node.inputs) {
        if (input != kNoValue) parting.inputs.push_back(Describe(fused, input, values[static_cast<size_t>(input)]));
      }
      report.parting = std::move(parting);
    }
    // Only what is wrong is worth a line: a network has hundreds of nodes.
    if (!trial.failed.empty() || trial.error > options.tolerance) report.trials.push_back(std::move(trial));
    runner.Forget(ids[i]);
  }
  return report;
}

Result<BisectReport> BisectGraphs(const Graph& a, const Graph& b, const NamedTensors& inputs,
                                  const BisectOptions& options) {
  BisectReport report;
  report.stage = "graphs";
  Tell(options, 0, 2, "the first network");
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> values, TraceReference(a, inputs));
  Tell(options, 1, 2, "the second network");
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> expected, TraceReference(b, inputs));
  report.trials.push_back({"the outputs", OutputError(a, values, b, expected), ""});
  report.parting = FindParting(a, values, b, expected, options.tolerance);
  return report;
}

}  // namespace tamis
