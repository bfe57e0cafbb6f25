#include "src/tuner/tuner.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "src/base/hash.h"
#include "src/kernels/kernel_revision.h"
#include "src/kernels/kernel_threads.h"
#include "src/kernels/problem.h"
#include "src/tuner/problem_text.h"
#include "src/tuner/time_cuda_kernels.h"
#include "src/tuner/time_samples.h"

namespace tamis {

std::string NameInPlan(const Graph& graph, const Node& node) {
  return node.outputs.empty() || node.outputs[0] == kNoValue ? node.name : graph.value(node.outputs[0]).name;
}

namespace {

// Where the cache keeps what kernels of the problem `key` take inside networks.
std::string InNetworkKey(const std::string& key) {
  return key + "-in-network";
}

// Kernels share very small work with nobody anyway: fewer threads must gain more than noise. And so must a library's
// kernels, whose time depends on where their buffers happen to lie and whose weights nobody asks for ahead (Zen 1, 768
// x 768 in f32 for 120 rows on two threads: 1.95 or 2.65 ms by oneDNN, one or the other for a process, 1.85 by ours).
double WeightOf(const std::string& kernel) {
  const bool library = kernel.find("onednn") != std::string::npos;
  return (SplitThreads(kernel).threads > 0 ? 1.05 : 1) * (library ? 1.03 : 1);
}

constexpr const char* kBlockKernel = "row_block";
constexpr const char* kNoKernel = "-";

// Times of a block are worth nothing when a layer's code changes.
std::string BlockKey(std::span<const Problem> layers, std::span<const std::string> kernels) {
  std::string text = Cpu().Fingerprint();
  for (size_t i = 0; i < layers.size(); ++i) {
    text += fmt::format("|{}|{}|{:x}", ProblemToText(layers[i]), kernels[i], KernelRevision(kernels[i]));
  }
  return HexString(Hash64(text)) + HexString(Hash64(text, 1)) + "-block";
}

// A node that could not be timed, and what its first kernel's reason was.
std::string UntimedText(const TunedNode& node) {
  const auto first = std::find_if(node.candidates.begin(), node.candidates.end(),
                                  [](const TimedKernel& candidate) { return !candidate.reason.empty(); });
  return fmt::format("{} '{}'{}", node.op, node.node, first == node.candidates.end() ? "" : ", " + first->reason);
}

// Whether the winner's time is of runs from which other processes took cores.
bool IsUnsettled(const TunedNode& node) {
  return std::any_of(node.candidates.begin(), node.candidates.end(), [&](const TimedKernel& candidate) {
    return candidate.kernel == node.kernel && candidate.spread >= TimeSamples::kUnsettled;
  });
}

}  // namespace

Tuner::Tuner(TunerOptions options) : options_(std::move(options)), cache_(options_.cache_path) {}

Tuner::~Tuner() = default;

// What could compute a problem.
struct Tuner::Candidates {
  std::vector<std::string> names;    // to be timed
  std::vector<TimedKernel> refused;  // with the reason
  double cost = 0;                   // of the cheapest
};

Result<Tuner::Candidates> Tuner::CandidatesFor(const Problem& problem) const {
  Candidates candidates;
  if (options_.cuda) {
    TAMIS_ASSIGN_OR_RETURN(const auto known, options_.cuda->Candidates(problem));
    for (const CudaCandidate& candidate : known) {
      for (int i = 0; i < candidate.variants; ++i) candidates.names.push_back(candidate.Variant(i));
      if (candidate.variants == 0) candidates.refused.push_back({candidate.kernel, 0, candidate.reason, 0, 0});
    }
    return candidates;
  }
  // Fewer threads, where by the cost model the others hardly pay.
  constexpr double kHardlyPay = 1.5;
  std::vector<Problem> on_fewer;
  for (int threads = 1; threads < problem.threads; threads *= 2) {
    on_fewer.push_back(problem);
    on_fewer.back().threads = threads;
  }
  std::vector<Refusal> refused;
  for (const KernelDef* kernel : CandidateKernels(problem, &refused)) {
    const double cost = kernel->cost(problem);
    if (candidates.names.empty()) candidates.cost = cost;
    if (cost > options_.cost_cutoff * candidates.cost) {
      candidates.refused.push_back({std::string(kernel->name), 0, "predicted far slower", 0, 0});
    } else {
      candidates.names.emplace_back(kernel->name);
      for (const Problem& fewer : on_fewer) {
        if (kernel->cost(fewer) > kHardlyPay * cost) continue;
        candidates.names.push_back(OnThreads(kernel->name, fewer.threads));
      }
    }
  }
  for (const Refusal& refusal : refused) {
    candidates.refused.push_back({std::string(refusal.kernel->name), 0, refusal.reason, 0, 0});
  }
  return candidates;
}

// What is struck out depends on the limit, so that each has times of its own.
std::string Tuner::DeviceKey() const {
  if (!options_.cuda) return {};
  const std::string key = options_.cuda->TimingKey();
  return options_.workspace_limit == 0 ? key : fmt::format("{}, workspaces to {} bytes", key, options_.workspace_limit);
}

bool Tuner::TimeIsUp() const {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  return options_.time_budget > 0 && spent.count() >= options_.time_budget;
}

Result<std::vector<TimedKernel>> Tuner::Measure(const Problem& problem, const std::vector<std::string>& kernels) {
  if (own_pool_ == nullptr) {
    const int gpu = options_.cuda ? options_.cuda->info().ordinal : TuneWorker::kCpu;
    auto answer = worker_.Time(problem, kernels, gpu, options_.workspace_limit);
    if (answer.ok()) return answer;
    notices_.push_back(answer.status().message() + "; kernels are timed inside this process");
    own_pool_ = std::make_unique<ThreadPool>(options_.threads);
  }
  TAMIS_ASSIGN_OR_RETURN(const auto owned, ProblemFromText(ProblemToText(problem), 7));
  const auto begin = [](const std::string&) {};
  if (options_.cuda) {
    TimingOptions timing;
    timing.workspace_limit = options_.workspace_limit;
    return TimeCudaKernels(owned->problem, kernels, *options_.cuda, timing, begin);
  }
  return TimeKernels(owned->problem, kernels, *own_pool_, {}, begin);
}

Result<TunedNode> Tuner::TimeProblem(const Problem& problem) {
  return TimeKeyed(problem, TimingCache::Key(problem, DeviceKey()));
}

Result<TunedNode> Tuner::TimeKeyed(const Problem& problem, const std::string& key) {
  if (options_.cancelled && options_.cancelled()) return RuntimeError("tuning was interrupted");
  TunedNode tuned;
  tuned.op = problem.node->op;
  TAMIS_ASSIGN_OR_RETURN(Candidates candidates, CandidatesFor(problem));
  tuned.candidates = std::move(candidates.refused);
  if (candidates.names.empty()) return tuned;

  auto known = cache_.Find(key, candidates.names, TimeIsUp());
  while (!known && !TimeIsUp()) {
    TAMIS_ASSIGN_OR_RETURN(const std::vector<TimedKernel> timed, Measure(problem, candidates.names));
    cache_.Add(key, problem, timed, DeviceKey());
    known = cache_.Find(key, candidates.names);
    if (!known && TimeIsUp()) known = cache_.Find(key, candidates.names, true);
  }
  if (!known) {
    tuned.predicted = true;
    tuned.kernel = candidates.names.front();
    tuned.seconds = candidates.cost;
    return tuned;
  }
  std::set<std::string> in_network;
  const std::string in_network_key = InNetworkKey(key);
  for (TimedKernel& result : *known) {
    const auto there = cache_.Find(in_network_key, {result.kernel}, true);
    if (there && result.seconds > 0) {
      result.seconds = there->front().seconds;
      in_network.insert(result.kernel);
    }
    const double weighed = result.seconds * WeightOf(result.kernel);
    if (result.seconds > 0 && (tuned.kernel.empty() || weighed < tuned.seconds * WeightOf(tuned.kernel))) {
      tuned.kernel = result.kernel;
      tuned.seconds = result.seconds;
    }
  }
  tuned.untimed = tuned.kernel.empty();
  for (TimedKernel& result : *known) {
    if (result.reason.empty() && result.kernel != tuned.kernel) {
      result.reason = fmt::format("{:.2f} times the winner's time{}", result.seconds / tuned.seconds,
                                  in_network.count(result.kernel) ? " inside a network" : "");
    }
  }
  tuned.candidates.insert(tuned.candidates.begin(), known->begin(), known->end());
  return tuned;
}

bool Tuner::KnowsInNetwork(const Problem& problem, const std::string& kernel) const {
  return cache_.Find(InNetworkKey(TimingCache::Key(problem, DeviceKey())), {kernel}, true).has_value();
}

void Tuner::RecordInNetwork(const Problem& problem, const std::string& kernel, double ratio) {
  const std::string key = TimingCache::Key(problem, DeviceKey());
  const auto entry = cache_.entries().find(key);
  if (entry == cache_.entries().end()) return;
  double rival = 0;
  for (const auto& [name, timed] : entry->second.kernels) {
    if (timed.seconds <= 0 || NeedsTwoFour(name, problem)) continue;
    if (rival == 0 || timed.seconds < rival) rival = timed.seconds;
  }
  if (rival == 0) return;
  TimedKernel there;
  there.kernel = kernel;
  there.seconds = RoundedSeconds(ratio * rival);
  cache_.Add(InNetworkKey(key), problem, {there}, DeviceKey());
}

std::optional<double> Tuner::FindBlock(std::span<const Problem> layers, std::span<const std::string> kernels) const {
  const auto known = cache_.Find(BlockKey(layers, kernels), {kBlockKernel}, true);
  return known ? std::optional<double>(known->front().seconds) : std::nullopt;
}

void Tuner::RecordBlock(std::span<const Problem> layers, std::span<const std::string> kernels, double seconds,
                        int64_t samples) {
  TimedKernel block;
  block.kernel = kBlockKernel;
  block.seconds = RoundedSeconds(seconds);
  block.samples = samples;
  cache_.Add(BlockKey(layers, kernels), layers.back(), {block}, DeviceKey());
}

// One line, whose reason lists "NODE KERNEL" of each loser, "-" where a block is given up.
std::optional<std::vector<PlanLoser>> Tuner::FindLosers(const std::string& plan) const {
  const auto line = cache_.Find(plan, {kBlockKernel}, true);
  if (!line) return std::nullopt;
  std::vector<PlanLoser> losers;
  std::istringstream text(line->front().reason);
  for (PlanLoser loser; text >> loser.node >> loser.kernel;) {
    if (loser.kernel == kNoKernel) loser.kernel.clear();
    losers.push_back(loser);
  }
  return losers;
}

void Tuner::RecordLosers(const std::string& plan, const Problem& layer, const std::vector<PlanLoser>& losers) {
  TimedKernel line;
  line.kernel = kBlockKernel;
  for (const PlanLoser& loser : losers) {
    line.reason += fmt::format("{}{} {}", line.reason.empty() ? "" : " ", loser.node,
                               loser.kernel.empty() ? kNoKernel : loser.kernel);
  }
  cache_.Add(plan, layer, {line}, DeviceKey());
}

std::optional<size_t> Tuner::FindCut(const std::string& plan) const {
  const auto line = cache_.Find(plan, {kCutRecord}, true);
  size_t cut = 0;
  if (!line || !(std::istringstream(line->front().reason) >> cut)) return std::nullopt;
  return cut;
}

void Tuner::RecordCut(const std::string& plan, const Problem& layer, size_t cut) {
  TimedKernel line;
  line.kernel = kCutRecord;
  line.reason = fmt::format("{}", cut);
  cache_.Add(plan, layer, {line}, DeviceKey());
}

Result<TunedNode> Tuner::TimeAs(Problem problem, Pattern pattern, bool pairs) {
  if (problem.inputs.size() < 2) return TimeProblem(problem);
  Operand& weight = problem.inputs[1];
  weight.pattern = pattern;
  if (pattern == Pattern::kDense || weight.constant == nullptr) return TimeProblem(problem);
  const auto [made, fresh] = masked_.try_emplace({weight.dtype, weight.dims, pattern, pairs});
  Masked& masked = made->second;
  if (fresh) {
    masked.weight = RandomTensor(weight.dtype, weight.dims, pattern, 1, pairs);
    masked.hash = HashTensor(masked.weight);
  }
  weight.constant = &masked.weight;
  weight.constant_hash = masked.hash;
  return TimeProblem(problem);
}

std::vector<std::string> Tuner::notices() const {
  std::vector<std::string> all = notices_;
  if (!untimed_.empty()) {
    all.push_back(
        fmt::format("of {} different nodes {} could not be timed and run as the reference does, which is "
                    "slow, at these sizes: {}",
                    timed_.size(), untimed_.size(), untimed_.begin()->second));
  }
  if (!unsettled_.empty()) {
    all.push_back(fmt::format(
        "other processes took the cores while kernels were timed: of {} different nodes {} may not have the "
        "fastest one. `tamis cache prune --noisier-than 99` forgets these times for a build on a quieter machine",
        timed_.size(), unsettled_.size()));
  }
  return all;
}

Result<std::vector<std::vector<TunedNode>>> Tuner::Tune(std::span<const Graph> concrete) {
  struct Item {
    const Graph* graph;
    NodeId node;
    Problem problem;
    std::string key;
  };
  std::vector<Item> items;
  struct Work {
    size_t item;
    double cost;
  };
  std::map<std::string, Work> unknown;  // by key
  for (const Graph& graph : concrete) {
    for (NodeId id : graph.NodeIds()) {
      // What depends on data is left to the cost model, which chooses as shapes come.
      if (IsView(graph.node(id)) || !IsConcrete(graph, graph.node(id))) continue;
      TAMIS_ASSIGN_OR_RETURN(Problem problem, MakeProblem(graph, graph.node(id), options_.threads));
      TAMIS_ASSIGN_OR_RETURN(const Candidates candidates, CandidatesFor(problem));
      std::string key = TimingCache::Key(problem, DeviceKey());
      if (!candidates.names.empty() && !cache_.Find(key, candidates.names)) {
        const auto [it, added] = unknown.try_emplace(key, Work{items.size(), 0.0});
        it->second.cost += candidates.cost;
      }
      items.push_back({&graph, id, std::move(problem), std::move(key)});
    }
  }
  std::vector<Work> work;
  for (const auto& [key, one] : unknown) work.push_back(one);
  std::stable_sort(work.begin(), work.end(), [](const Work& a, const Work& b) { return a.cost > b.cost; });
  const auto name_of = [](const Item& item) { return NameInPlan(*item.graph, item.graph->node(item.node)); };
  for (size_t i = 0; i < work.size() && !TimeIsUp(); ++i) {
    const Item& item = items[work[i].item];
    if (options_.progress) options_.progress(static_cast<int>(i), static_cast<int>(work.size()), name_of(item));
    const auto timed = TimeKeyed(item.problem, item.key);
    if (!timed.ok()) return timed.status();
  }
  std::vector<std::vector<TunedNode>> tuned(concrete.size());
  size_t predicted = 0;
  for (const Item& item : items) {
    TAMIS_ASSIGN_OR_RETURN(TunedNode result, TimeKeyed(item.problem, item.key));
    result.node = name_of(item);
    timed_.insert(item.key);
    if (options_.cuda == nullptr && IsUnsettled(result)) {
      unsettled_.insert(item.key);
    } else {
      unsettled_.erase(item.key);  // timed again on a calmer machine
    }
    predicted += result.predicted ? 1 : 0;
    if (result.untimed) untimed_.try_emplace(item.key, UntimedText(result));
    tuned[static_cast<size_t>(item.graph - concrete.data())].push_back(std::move(result));
  }
  if (predicted > 0) {
    notices_.push_back(
        fmt::format("the time budget of {:g} s was spent: the kernels of {} of {} nodes were chosen by "
                    "the cost model",
                    options_.time_budget, predicted, items.size()));
  }
  if (const Status saved = cache_.Save(); !saved.ok()) notices_.push_back(saved.message());
  return tuned;
}

}  // namespace tamis
