#include "src/compiler/gate/bisect.h"

#include <algorithm>
#include <set>

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
  TAMIS_ASSIGN_OR_RETURN(const Trace expected, TraceReference(graph, inputs));
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
  TAMIS_ASSIGN_OR_RETURN(const Trace before, TraceReference(after[good], inputs));
  const auto wrong = TraceReference(after[bad], inputs);
  if (wrong.ok()) report.parting = FindParting(after[bad], *wrong, after[good], before, options.tolerance);
  return report;
}

namespace {

// Judges the kernels of one graph's nodes after another.
class KernelJudge {
 public:
  KernelJudge(const std::function<std::string(const std::string& node)>& wish, const BisectOptions& options,
              BisectReport* report)
      : wish_(wish), options_(options), report_(report), runner_(std::make_shared<ThreadPool>(options.threads)) {}

  // `where` is put in front of names: empty for the main graph. A plan speaks of its nodes only.
  void Judge(const Graph& graph, const Trace& values, const std::string& where) {
    const std::vector<NodeId> ids = graph.NodeIds();
    for (size_t i = 0; i < ids.size(); ++i) {
      const Node& node = graph.node(ids[i]);
      if (!IsOfTensors(node, values)) continue;
      const std::string& name = graph.value(FirstOutput(node)).name;
      Tell(options_, i, ids.size(), where + name);
      JudgeNode(graph, ids[i], values, where + name, wish_ && where.empty() ? wish_(name) : std::string());
    }
  }

 private:
  // Kernels take and give tensors; what else there is, and what runs bodies, has nothing but its reference.
  static bool IsOfTensors(const Node& node, const Trace& values) {
    const auto is_tensor = [&](ValueId id) { return id == kNoValue || values[static_cast<size_t>(id)].IsTensor(); };
    return node.regions.empty() && FirstOutput(node) != kNoValue &&
           std::all_of(node.inputs.begin(), node.inputs.end(), is_tensor) &&
           std::all_of(node.outputs.begin(), node.outputs.end(), is_tensor);
  }

  void JudgeNode(const Graph& graph, NodeId id, const Trace& values, const std::string& name, const std::string& wish) {
    const Node& node = graph.node(id);
    std::vector<const Tensor*> operands;
    for (ValueId input : node.inputs) {
      const bool given = input != kNoValue && !graph.value(input).IsConstant();
      operands.push_back(given ? &values[static_cast<size_t>(input)].tensor() : nullptr);
    }
    NodeRunner::Choice choice;
    choice.wish = wish;
    const auto results = runner_.Run(graph, id, operands, &choice);
    BisectTrial trial{name + " on " + choice.tactic, 0, ""};
    if (!results.ok()) trial.failed = results.status().message();
    for (size_t j = 0; results.ok() && j < node.outputs.size(); ++j) {
      const ValueId output = node.outputs[j];
      if (output == kNoValue) continue;
      const ValueError error = ErrorOf((*results)[j], values[static_cast<size_t>(output)]);
      trial.error = std::max(trial.error, error.relative);
      if (error.relative <= options_.tolerance || report_->parting) continue;
      Parting parting;
      parting.value = graph.value(output).name;
      parting.error = error;
      parting.op = parting.other_op = node.domain.empty() ? node.op : node.domain + "." + node.op;
      parting.node = node.name;
      parting.kernel = choice.tactic;
      for (ValueId input : node.inputs) {
        if (input != kNoValue) parting.inputs.push_back(Describe(graph, input, values[static_cast<size_t>(input)]));
      }
      report_->parting = std::move(parting);
    }
    // Only what is wrong is worth a line: a network has hundreds of nodes.
    if (!trial.failed.empty() || trial.error > options_.tolerance) report_->trials.push_back(std::move(trial));
    runner_.Forget(id);
  }

  const std::function<std::string(const std::string& node)>& wish_;
  const BisectOptions& options_;
  BisectReport* report_;
  NodeRunner runner_;
};

}  // namespace

Result<BisectReport> BisectKernels(const Graph& fused, const NamedTensors& inputs,
                                   const std::function<std::string(const std::string& node)>& wish,
                                   const BisectOptions& options) {
  BisectReport report;
  report.stage = "kernels";
  KernelJudge judge(wish, options, &report);
  std::set<const Graph*> judged;  // a body runs many times, on values much alike
  const BodyVisitor judge_body = [&](const Graph& body, const Trace& values) {
    if (judged.insert(&body).second) judge.Judge(body, values, "body '" + body.name + "': ");
  };
  TAMIS_ASSIGN_OR_RETURN(const Trace values, TraceReference(fused, inputs, judge_body));
  judge.Judge(fused, values, "");
  return report;
}

Result<BisectReport> BisectGraphs(const Graph& a, const Graph& b, const NamedTensors& inputs,
                                  const BisectOptions& options) {
  BisectReport report;
  report.stage = "graphs";
  Tell(options, 0, 2, "the first network");
  TAMIS_ASSIGN_OR_RETURN(const Trace values, TraceReference(a, inputs));
  Tell(options, 1, 2, "the second network");
  TAMIS_ASSIGN_OR_RETURN(const Trace expected, TraceReference(b, inputs));
  report.trials.push_back({"the outputs", OutputError(a, values, b, expected), ""});
  report.parting = FindParting(a, values, b, expected, options.tolerance);
  return report;
}

}  // namespace tamis
