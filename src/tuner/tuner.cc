#include "src/tuner/tuner.h"

#include <algorithm>

#include "src/kernels/problem.h"
#include "src/tuner/problem_text.h"

namespace tamis {

Tuner::Tuner(TunerOptions options) : options_(std::move(options)), cache_(options_.cache_path) {}

Tuner::~Tuner() = default;

Result<TunedNode> Tuner::TimeProblem(const Problem& problem) {
  if (options_.cancelled && options_.cancelled()) return RuntimeError("tuning was interrupted");
  TunedNode tuned;
  tuned.op = problem.node->op;
  std::vector<Refusal> refused;
  const auto candidates = CandidateKernels(problem, &refused);
  std::vector<std::string> names;
  for (const KernelDef* kernel : candidates) {
    const double cost = kernel->cost(problem);
    if (cost > options_.cost_cutoff * candidates.front()->cost(problem)) {
      tuned.candidates.push_back({std::string(kernel->name), 0, "predicted far slower"});
    } else {
      names.emplace_back(kernel->name);
    }
  }
  for (const Refusal& refusal : refused) {
    tuned.candidates.push_back({std::string(refusal.kernel->name), 0, refusal.reason});
  }
  if (names.empty()) return tuned;

  const std::string key = TimingCache::Key(problem);
  std::vector<TimedKernel> timed;
  if (auto known = cache_.Find(key, names)) {
    timed = std::move(*known);
  } else {
    auto answer =
        own_pool_ ? Result<std::vector<TimedKernel>>(std::vector<TimedKernel>()) : worker_.Time(problem, names);
    if (!answer.ok()) {
      notices_.push_back(answer.status().message() + "; kernels are timed inside this process");
      own_pool_ = std::make_unique<ThreadPool>(options_.threads);
    }
    if (own_pool_) {
      TAMIS_ASSIGN_OR_RETURN(const auto owned, ProblemFromText(ProblemToText(problem), 7));
      answer = TimeKernels(owned->problem, names, *own_pool_, {}, [](const std::string&) {});
    }
    timed = std::move(answer).value();
    cache_.Add(key, timed);
  }
  for (const TimedKernel& result : timed) {
    if (result.seconds > 0 && (tuned.kernel.empty() || result.seconds < tuned.seconds)) {
      tuned.kernel = result.kernel;
      tuned.seconds = result.seconds;
    }
  }
  for (TimedKernel& result : timed) {
    if (result.reason.empty() && result.kernel != tuned.kernel) {
      result.reason = fmt::format("{:.2f} times the winner's time", result.seconds / tuned.seconds);
    }
  }
  tuned.candidates.insert(tuned.candidates.begin(), timed.begin(), timed.end());
  return tuned;
}

Result<TunedNode> Tuner::TimeAs(Problem problem, Pattern pattern) {
  if (problem.inputs.size() > 1) problem.inputs[1].pattern = pattern;
  return TimeProblem(problem);
}

Result<std::vector<TunedNode>> Tuner::Tune(const Graph& concrete) {
  std::vector<NodeId> ids;
  for (NodeId id : concrete.NodeIds()) {
    // What depends on data is left to the cost model, which chooses as shapes come.
    if (!IsView(concrete.node(id)) && IsConcrete(concrete, concrete.node(id))) ids.push_back(id);
  }
  std::vector<TunedNode> tuned;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Node& node = concrete.node(ids[i]);
    TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(concrete, node, options_.threads));
    TAMIS_ASSIGN_OR_RETURN(TunedNode result, TimeProblem(problem));
    result.node =
        node.outputs.empty() || node.outputs[0] == kNoValue ? node.name : concrete.value(node.outputs[0]).name;
    if (options_.progress) options_.progress(static_cast<int>(i) + 1, static_cast<int>(ids.size()), result.node);
    tuned.push_back(std::move(result));
  }
  if (const Status saved = cache_.Save(); !saved.ok()) notices_.push_back(saved.message());
  return tuned;
}

}  // namespace tamis
