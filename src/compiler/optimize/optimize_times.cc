#include "src/compiler/optimize/optimize_times.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <tuple>

#include "src/base/cpu.h"
#include "src/compiler/measure/run_in_turns.h"
#include "src/compiler/optimize/predict.h"
#include "src/compiler/plan/choose_precision.h"
#include "src/compiler/quantize/quantize.h"
#include "src/kernels/problem.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

// Where whole runs take this much longer than their kernels did, the machine is in a slow phase, in which networks are
// more alike than otherwise: another set of runs, later.
constexpr double kSlowPhase = 1.3;
constexpr int kMostSets = 4;

}  // namespace

bool LayerTimes::Gains(LayerPattern pattern) const {
  // By more than timing noise.
  const double share_here = share[static_cast<size_t>(pattern)];
  return share_here > 0 && share_here < LayerTime::kClearGain * share[0];
}

Result<std::unique_ptr<NetworkTimer>> NetworkTimer::Make(const Graph& dense, const BuildOptions& options) {
  std::unique_ptr<NetworkTimer> timer(new NetworkTimer());
  timer->options_ = options;
  timer->threads_ = options.threads > 0 ? options.threads : Cpu().usable_cores;
  for (size_t i = 0; i < std::max<size_t>(options.profiles.size(), 1); ++i) {
    TAMIS_ASSIGN_OR_RETURN(Profile profile,
                           MakeProfile(dense, i < options.profiles.size() ? options.profiles[i] : InputRanges{}));
    timer->profiles_.push_back(std::move(profile));
  }
  TunerOptions tuner;
  tuner.threads = timer->threads_;
  tuner.cache_path = options.cache_path;
  tuner.cancelled = options.cancelled;
  timer->tuner_ = std::make_unique<Tuner>(std::move(tuner));
  timer->asks_ = options.precision == Precision::kAuto && Cpu().avx512_bf16;
  TAMIS_ASSIGN_OR_RETURN(timer->dense_, timer->Time(dense));
  const std::vector<double>& seconds = timer->dense_.seconds;
  timer->longest_ = static_cast<size_t>(std::max_element(seconds.begin(), seconds.end()) - seconds.begin());
  return timer;
}

Result<std::vector<Graph>> NetworkTimer::AtOpt(const Graph& fused) const {
  std::vector<Graph> concrete;
  for (const Profile& profile : profiles_) {
    TAMIS_ASSIGN_OR_RETURN(Graph graph, SpecializeAt(fused, TuningPoints(profile).front()));
    concrete.push_back(std::move(graph));
  }
  return concrete;
}

Result<TimedNetwork> NetworkTimer::InBFloat16(const Graph& network) const {
  TimedNetwork timed;
  timed.precision = DType::kBFloat16;
  TAMIS_ASSIGN_OR_RETURN(timed.fused, FuseIn(network, timed.precision, nullptr, options_.without, nullptr));
  return timed;
}

Result<TimedNetwork> NetworkTimer::Time(const Graph& network, const std::set<std::string>& low_layers) {
  TimedNetwork timed;
  if (asks_ && !low_layers.empty()) {
    PrecisionQuestion question;
    question.without = options_.without;
    question.profiles = profiles_;
    question.threads = threads_;
    question.low_layers = low_layers;
    TAMIS_ASSIGN_OR_RETURN(PrecisionChoice choice, ChoosePrecision(network, question, *tuner_, nullptr));
    timed.fused = std::move(choice.fused);
    timed.precision = choice.precision;
  } else {
    timed.precision = options_.precision == Precision::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
    TAMIS_ASSIGN_OR_RETURN(timed.fused, FuseIn(network, timed.precision, nullptr, options_.without, nullptr));
  }
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Graph> concrete, AtOpt(timed.fused));
  TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner_->Tune(concrete));
  for (const std::vector<TunedNode>& nodes : tuned) {
    double sum = 0;
    for (const TunedNode& node : nodes) sum += node.seconds;
    timed.seconds.push_back(sum);
  }
  return timed;
}

Result<std::map<std::string, LayerTimes>> NetworkTimer::TimeLayers(const TimedNetwork& network) {
  std::map<std::string, LayerTimes> layers;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Graph> concrete, AtOpt(network.fused));
  for (size_t p = 0; p < concrete.size(); ++p) {
    const double whole = std::max(dense_.seconds[p], 1e-9);
    for (const NodeId id : concrete[p].NodeIds()) {
      const Node& node = concrete[p].node(id);
      const std::string weight = WeightBehind(concrete[p], node);
      if (weight.empty() || !IsConcrete(concrete[p], node)) continue;
      TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(concrete[p], node, threads_));
      LayerTimes& layer = layers[weight];
      for (const LayerPattern pattern : {LayerPattern::kDense, LayerPattern::kTwoFour, LayerPattern::kPaired}) {
        TAMIS_ASSIGN_OR_RETURN(
            const TunedNode tuned,
            tuner_->TimeAs(problem, pattern == LayerPattern::kDense ? Pattern::kDense : Pattern::kTwoFour,
                           pattern == LayerPattern::kPaired));
        layer.share[static_cast<size_t>(pattern)] += tuned.seconds / whole;
        if (p == longest_) layer.seconds[static_cast<size_t>(pattern)] += tuned.seconds;
      }
    }
  }
  std::ignore = tuner_->SaveCache();  // builds tell of a cache that can't be written
  return layers;
}

double NetworkTimer::Relative(const TimedNetwork& network) const {
  double sum = 0;
  for (size_t p = 0; p < network.seconds.size(); ++p) {
    sum += network.seconds[p] / std::max(dense_.seconds[p], 1e-9);
  }
  return sum / static_cast<double>(std::max<size_t>(network.seconds.size(), 1));
}

Result<std::unique_ptr<Program>> NetworkTimer::ProgramOf(Graph concrete, PackCache& cache) {
  if (RunsNodeByNode(concrete)) return std::unique_ptr<Program>();
  TAMIS_ASSIGN_OR_RETURN(const auto tuned, tuner_->Tune(std::span(&concrete, 1)));
  KernelsByNode kernels;
  for (const TunedNode& node : tuned[0]) kernels[node.node] = node.kernel;
  return ProgramWith(std::move(concrete), kernels, threads_, cache);
}

Result<WholeRun> NetworkTimer::RunBesideDense(const TimedNetwork& network, double seconds) {
  WholeRun whole;
  const std::vector<TensorSpec> specs = InputSpecs(dense_.fused);
  if (!AreTensors(specs)) return whole;
  TAMIS_ASSIGN_OR_RETURN(std::vector<Graph> dense, AtOpt(dense_.fused));
  TAMIS_ASSIGN_OR_RETURN(std::vector<Graph> ours, AtOpt(network.fused));
  ThreadPool pool(threads_);
  for (size_t p = 0; p < profiles_.size(); ++p) {
    TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs,
                           RandomOperands(specs, TuningPoints(profiles_[p]).front(), 1));
    std::map<std::string, std::string> weights;  // by the node's output
    for (const NodeId id : ours[p].NodeIds()) {
      const Node& node = ours[p].node(id);
      if (const std::string weight = WeightBehind(ours[p], node); !weight.empty()) {
        weights[ours[p].value(node.outputs[0]).name] = weight;
      }
    }
    PackCache cache;
    TAMIS_ASSIGN_OR_RETURN(const auto base, ProgramOf(std::move(dense[p]), cache));
    TAMIS_ASSIGN_OR_RETURN(const auto program, ProgramOf(std::move(ours[p]), cache));
    if (!base || !program) return WholeRun();
    const Program* both[] = {base.get(), program.get()};
    const Turns turns = {.seconds = seconds / static_cast<double>(profiles_.size()), .least = 6, .most = 400};
    TAMIS_ASSIGN_OR_RETURN(const ProfiledTurns times, ProfileInTurns(both, inputs, pool, turns));
    const double dense_seconds = std::max(times[0].seconds, 1e-9);
    whole.relative += times[1].seconds / dense_seconds / static_cast<double>(profiles_.size());
    for (const auto& [node, node_seconds] : times[1].nodes) {
      const auto weight = weights.find(node);
      if (weight == weights.end()) continue;
      LayerShare& layer = whole.layers[weight->second];
      layer.share += node_seconds / dense_seconds;
      if (p == longest_) layer.seconds += node_seconds;
    }
  }
  return whole;
}

Result<std::vector<double>> NetworkTimer::RunInTurns(std::span<const TimedNetwork* const> networks,
                                                     double seconds_each) {
  std::vector<double> quartiles(networks.size(), 0);
  const auto binding = TuningPoints(profiles_[longest_]).front();
  const std::vector<TensorSpec> specs = InputSpecs(dense_.fused);
  if (!AreTensors(specs)) return quartiles;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs, RandomOperands(specs, binding, 1));
  ThreadPool pool(threads_);
  PackCache cache;
  std::vector<std::unique_ptr<Program>> programs;
  for (const TimedNetwork* network : networks) {
    TAMIS_ASSIGN_OR_RETURN(std::vector<Graph> concrete, AtOpt(network->fused));
    TAMIS_ASSIGN_OR_RETURN(auto program, ProgramOf(std::move(concrete[longest_]), cache));
    if (!program) return quartiles;
    programs.push_back(std::move(program));
  }
  std::vector<const Program*> pointers;
  for (const auto& program : programs) pointers.push_back(program.get());
  const Turns turns = {.seconds = seconds_each * static_cast<double>(programs.size()), .least = 6, .most = 2000};
  double expected = 0, fastest = std::numeric_limits<double>::infinity();
  for (const TimedNetwork* network : networks) expected += Seconds(*network);
  const int sets = expected > 0 ? kMostSets : 1;
  for (int set = 0; set < sets && fastest > kSlowPhase * expected; ++set) {
    if (set > 0) std::this_thread::sleep_for(std::chrono::duration<double>(2 * turns.seconds));
    TAMIS_ASSIGN_OR_RETURN(const auto times, tamis::RunInTurns(pointers, inputs, pool, turns));
    double sum = 0;
    for (const auto& of_network : times) sum += of_network[of_network.size() / 4];
    if (sum >= fastest) continue;
    fastest = sum;
    for (size_t i = 0; i < times.size(); ++i) quartiles[i] = times[i][times[i].size() / 4];
  }
  return quartiles;
}

}  // namespace tamis
