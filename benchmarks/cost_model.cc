// tamis_cost_model [--threads N] [--all] MODEL.onnx [input=1x3x224x224 ...]
//
// What the cost model's choices lose on one network: every kernel that can compute a node is timed, whatever it is
// predicted to take, and the predicted choice is compared with the fastest. Nodes that lose most come first; --all
// prints those as well that lose nothing.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "src/compiler/plan/build.h"
#include "src/kernels/problem.h"
#include "src/runtime/specialize.h"
#include "src/tuner/problem_text.h"
#include "src/tuner/timing_cache.h"
#include "src/tuner/tuner.h"

namespace tamis {
namespace {

struct Row {
  double lost = 0;
  std::string text;
};

std::map<std::string, Dims> ParseShapes(int count, char** texts) {
  std::map<std::string, Dims> shapes;
  for (int i = 0; i < count; ++i) {
    const std::string text = texts[i];
    const size_t equals = text.find('=');
    Dims dims;
    for (size_t at = equals; at != std::string::npos; at = text.find('x', at + 1)) {
      dims.push_back(std::atoll(text.c_str() + at + 1));
    }
    shapes[text.substr(0, equals)] = dims;
  }
  return shapes;
}

Result<Row> Judge(const Problem& problem, Tuner& tuner, double* chosen_seconds, double* best_seconds) {
  TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner.TimeProblem(problem));
  std::string kernels;
  double chosen = 0;
  std::string chosen_name = "reference";
  for (const KernelDef* kernel : CandidateKernels(problem, nullptr)) {
    for (const TimedKernel& timed : tuned.candidates) {
      if (timed.kernel != kernel->name || timed.seconds == 0) continue;
      if (chosen == 0) {
        chosen = timed.seconds;
        chosen_name = timed.kernel;
      }
      kernels += fmt::format(" {} {:.1f}/{:.1f}", timed.kernel, kernel->cost(problem) * 1e6, timed.seconds * 1e6);
    }
  }
  *chosen_seconds += chosen;
  *best_seconds += tuned.seconds;
  return Row{chosen - tuned.seconds,
             fmt::format("{:9.1f} us lost, {:5.2f} x: {} instead of {}\n   predicted/measured us:{}",
                         (chosen - tuned.seconds) * 1e6, tuned.seconds > 0 ? chosen / tuned.seconds : 1, chosen_name,
                         tuned.kernel, kernels)};
}

Status Run(int count, char** arguments) {
  int threads = Cpu().usable_cores;
  bool all = false;
  int at = 1;
  for (; at < count && std::strncmp(arguments[at], "--", 2) == 0; ++at) {
    if (std::strcmp(arguments[at], "--all") == 0) all = true;
    if (std::strcmp(arguments[at], "--threads") == 0 && at + 1 < count) threads = std::atoi(arguments[++at]);
  }
  if (at >= count) return UserError("usage: tamis_cost_model [--threads N] [--all] MODEL.onnx [INPUT=1x3x224x224 ...]");
  const auto shapes = ParseShapes(count - at - 1, arguments + at + 1);
  TAMIS_ASSIGN_OR_RETURN(const Network network, LoadNetwork(arguments[at]));
  BuildOptions options;
  options.tune = false;
  options.threads = threads;
  TAMIS_ASSIGN_OR_RETURN(const BuildResult built, BuildEngine(network, options));
  const Graph& fused = built.engine->fused;
  std::vector<Dims> dims;
  for (const TensorSpec& input : InputSpecs(fused)) {
    const auto shape = shapes.find(input.name);
    dims.push_back(shape != shapes.end() ? shape->second : input.dims);
  }
  TAMIS_ASSIGN_OR_RETURN(Graph graph, Specialize(fused, dims));
  HashConstants(graph);
  TunerOptions tuner_options;
  tuner_options.threads = threads;
  tuner_options.cost_cutoff = 1e9;
  tuner_options.cache_path = TimingCache::DefaultPath() + ".all";
  Tuner tuner(tuner_options);
  std::vector<Row> rows;
  double chosen = 0, best = 0;
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (IsView(node) || !IsConcrete(graph, node)) continue;
    TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(graph, node, threads));
    if (CandidateKernels(problem, nullptr).empty()) continue;
    TAMIS_ASSIGN_OR_RETURN(Row row, Judge(problem, tuner, &chosen, &best));
    row.text += fmt::format("\n   {}", ProblemToText(problem).substr(0, 600));
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.lost > b.lost; });
  for (const Row& row : rows) {
    if (all || row.lost > 0) fmt::print("{}\n", row.text);
  }
  fmt::print("chosen by the cost model: {:.3f} ms, fastest: {:.3f} ms, {:.2f} x\n", chosen * 1e3, best * 1e3,
             chosen / std::max(best, 1e-12));
  return tuner.SaveCache();
}

}  // namespace
}  // namespace tamis

int main(int count, char** arguments) {
  tamis::ConfigureLibraries();
  const tamis::Status status = tamis::Run(count, arguments);
  if (!status.ok()) fmt::print(stderr, "tamis_cost_model: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
