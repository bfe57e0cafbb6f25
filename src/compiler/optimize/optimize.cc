#include "src/compiler/optimize/optimize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/hash.h"
#include "src/compiler/optimize/optimize_reason.h"
#include "src/compiler/optimize/optimize_unproven.h"
#include "src/compiler/plan/untuned_session.h"

namespace tamis {
namespace {

constexpr int64_t kBatch = 32;
constexpr int64_t kSensitivitySamples = 32;

class Optimizer {
 public:
  Optimizer(const Network& network, const DataSource& data, const OptimizeOptions& options)
      : network_(&network), data_(data), options_(options), budget_(options.budget) {}

  Result<OptimizeResult> Run() {
    TAMIS_RETURN_IF_ERROR(SplitData());
    TAMIS_RETURN_IF_ERROR(Prepare());
    TableOptions table;
    table.int8 = options_.int8;
    table.threads = options_.build.threads;
    table.progress = options_.prune.progress;
    table.cancelled = options_.cancelled;
    SensitivityCache cache(SensitivityCache::PathBeside(options_.build.cache_path));
    table.cache = &cache;
    table.network = network_->file;
    table.network_hash = network_->hash;
    TAMIS_ASSIGN_OR_RETURN(
        table_, LayerTable::Make(candidates_.get(), timer_.get(), choose_.First(kSensitivitySamples), table));
    result_.sensitivities_measured = table_.measured();
    result_.sensitivities_cached = table_.cached();
    result_.sensitivity_cache = cache.path();
    if (const Status saved = cache.Save(); !saved.ok())
      result_.notices.push_back(saved.message());  // no reason to stop
    Log(fmt::format("{} layers timed as what they can be; {} costs of single layers measured, {} known from {}",
                    table_.rows().size(), table_.measured(), table_.cached(),
                    cache.path().empty() ? "nowhere, as there is no cache" : cache.path()));
    trials_ = std::make_unique<Trials>(candidates_.get(), timer_.get(), &choose_, budget_, options_.build.threads,
                                       options_.cancelled);
    search_ = std::make_unique<Search>(&table_, candidates_.get(), timer_.get(), trials_.get(), budget_,
                                       [this](const std::string& text) { Log(text); });
    TAMIS_ASSIGN_OR_RETURN(SearchResult found, search_->Run());
    TAMIS_RETURN_IF_ERROR(Confirm(std::move(found)));
    TAMIS_RETURN_IF_ERROR(SplitError());
    Report();
    return std::move(result_);
  }

 private:
  void Log(const std::string& text) const {
    if (options_.log) options_.log(text);
  }

  // Samples of a batch that every profile of the engine takes.
  Result<int64_t> BatchOfProfiles() const {
    int64_t batch = kBatch;
    const std::vector<ValueId>& inputs = network_->graph.inputs;
    if (inputs.empty()) return batch;
    const Type& type = network_->graph.value(inputs[0]).type;
    if (!type.has_rank || type.shape.empty()) return batch;
    for (const InputRanges& ranges : options_.build.profiles) {
      TAMIS_ASSIGN_OR_RETURN(const Profile profile, MakeProfile(network_->graph, ranges));
      std::map<std::string, int64_t> most;
      for (const auto& [symbol, range] : profile)
        most[symbol] = range.bounded ? range.max : std::max(range.max, kBatch);
      if (const auto size = type.shape[0].Evaluate(most)) batch = std::min(batch, *size);
    }
    return std::max<int64_t>(batch, 1);
  }

  Status SplitData() {
    TAMIS_ASSIGN_OR_RETURN(const SampleSplit split, SplitSamples(data_, options_.split, options_.seed));
    TAMIS_ASSIGN_OR_RETURN(fit_, ReadBatches(data_, split.fit, kBatch));
    TAMIS_ASSIGN_OR_RETURN(const auto dense, UntunedSession(*network_, options_.build.threads));
    TAMIS_ASSIGN_OR_RETURN(const int64_t batch, BatchOfProfiles());
    TAMIS_ASSIGN_OR_RETURN(choose_, Judge::Make(data_, split.choose, batch, *dense, !options_.unseen));
    const auto first = static_cast<std::ptrdiff_t>(FirstToConfirm(static_cast<int64_t>(split.confirm.size())));
    const std::vector<int64_t> asked(split.confirm.begin(), split.confirm.begin() + first);
    const std::vector<int64_t> kept(split.confirm.begin() + first, split.confirm.end());
    TAMIS_ASSIGN_OR_RETURN(confirm_, Judge::Make(data_, asked, batch, *dense, !options_.unseen));
    if (static_cast<int64_t>(kept.size()) >= std::max<int64_t>(data_.fixed_batch(), 1)) {
      TAMIS_ASSIGN_OR_RETURN(reserve_, Judge::Make(data_, kept, batch, *dense, !options_.unseen));
    }
    result_.fit_samples = static_cast<int64_t>(split.fit.size());
    result_.choose_samples = choose_.samples();
    if (choose_.samples() == 0 || confirm_.samples() == 0) {
      return UserError("{} samples are too few to fit, to choose and to confirm with", data_.size());
    }
    if (budget_.max_drop >= 0 && !choose_.HasScores()) {
      return UserError(
          "no output has a score for each of several classes ([samples, classes]), so points of top-1 say nothing of "
          "this network: give --min-agreement");
    }
    Log(fmt::format("samples: {} to fit, {} to choose, {} to confirm and {} kept back", split.fit.size(),
                    choose_.samples(), confirm_.samples(), reserve_.samples()));
    return {};
  }

  Status Prepare() {
    pool_ = std::make_shared<ThreadPool>(options_.build.threads);
    QuantizeOptions quantize = options_.quantize;
    quantize.threads = options_.build.threads;
    if (options_.permute) TAMIS_RETURN_IF_ERROR(Permute());
    TAMIS_ASSIGN_OR_RETURN(candidates_, Candidates::Make(*network_, std::move(fit_), options_.prune, quantize, pool_));
    Log("ranges of the activations collected");
    build_ = options_.build;
    TAMIS_ASSIGN_OR_RETURN(timer_, NetworkTimer::Make(network_->graph, build_));
    return {};
  }

  // From here on the network is the one with its channels in another order.
  Status Permute() {
    PermuteOptions permute;
    permute.keep = options_.prune.keep;
    permute.seed = options_.seed;
    permute.progress = options_.prune.progress;
    permute.cancelled = options_.cancelled;
    permuted_.graph = network_->graph.Clone();
    permuted_.file = network_->file;
    permuted_.hash = network_->hash;
    permuted_.meta = network_->meta;
    permuted_.nodes_in_file = network_->nodes_in_file;
    TAMIS_ASSIGN_OR_RETURN(result_.permuted, PermuteChannels(permuted_.graph, fit_, permute, pool_));
    network_ = &permuted_;
    Log(fmt::format("{} of {} classes of channels moved, searched for {:.1f} s", result_.permuted->Moved(),
                    result_.permuted->Classes(), result_.permuted->seconds));
    return {};
  }

  // What runs as a whole: the dense network, what the search found, other mixtures that were made in order and hold,
  // and the uniform settings that hold or nearly do, for in order they lose less than as drafts. Sums of kernels decide
  // only that what is far slower by them stays out.
  std::vector<int> Finalists(size_t dense, int best) {
    constexpr double kFarSlower = 1.5;
    std::vector<int> finalists = {static_cast<int>(dense)};
    const auto add = [&](int trial) {
      const Assignment& assignment = trials_->at(static_cast<size_t>(trial)).assignment;
      const bool known = std::any_of(finalists.begin(), finalists.end(), [&](int other) {
        return trials_->at(static_cast<size_t>(other)).assignment == assignment;
      });
      if (!known) finalists.push_back(trial);
    };
    if (best >= 0) add(best);
    double fastest = trials_->at(static_cast<size_t>(finalists.back())).relative;
    std::vector<int> others;
    for (size_t i = 0; i < trials_->all().size(); ++i) {
      const OptimizeTrial& trial = trials_->at(i);
      if (!(trial.uniform || trial.in_order) || !NearlyHolds(trial, budget_) || IsMadeInOrder(trial)) continue;
      others.push_back(static_cast<int>(i));
      fastest = std::min(fastest, trial.relative);
    }
    for (const int trial : others) {
      if (trials_->at(static_cast<size_t>(trial)).relative <= kFarSlower * fastest) add(trial);
    }
    return finalists;
  }

  // A draft of which there is the network in order as well: that is what counts.
  bool IsMadeInOrder(const OptimizeTrial& draft) const {
    const auto& all = trials_->all();
    return !draft.in_order && std::any_of(all.begin(), all.end(), [&](const OptimizeTrial& trial) {
      return trial.in_order && trial.assignment == draft.assignment;
    });
  }

  // Whole runs of the finalists, in turns.
  Status RunInTurns(const std::vector<int>& finalists) {
    std::vector<TimedNetwork> networks;
    for (const int trial : finalists) {
      TAMIS_ASSIGN_OR_RETURN(const PrunedNetwork network, trials_->NetworkOf(static_cast<size_t>(trial)));
      TAMIS_ASSIGN_OR_RETURN(
          TimedNetwork timed,
          timer_->Time(network.graph, LowLayers(trials_->at(static_cast<size_t>(trial)).assignment)));
      networks.push_back(std::move(timed));
    }
    std::vector<const TimedNetwork*> pointers;
    for (const TimedNetwork& network : networks) pointers.push_back(&network);
    TAMIS_ASSIGN_OR_RETURN(const auto seconds, timer_->RunInTurns(pointers, options_.run_seconds));
    for (size_t i = 0; i < finalists.size(); ++i) {
      trials_->at(static_cast<size_t>(finalists[i])).measured_seconds = seconds[i];
    }
    return {};
  }

  // The fastest finalist that holds, or one as fast that is more exact. Drafts are made in order first.
  Status RunFinalists(const SearchResult& found) {
    constexpr int kMostInOrder = 2;
    TAMIS_ASSIGN_OR_RETURN(const size_t dense, trials_->Try("dense", {}, true, 0));
    std::vector<int> finalists = Finalists(dense, found.best);
    TAMIS_RETURN_IF_ERROR(RunInTurns(finalists));
    const auto time = [&](int trial) {  // of a network that can't be run as one program the prediction
      const OptimizeTrial& of = trials_->at(static_cast<size_t>(trial));
      return of.measured_seconds > 0 ? of.measured_seconds : of.seconds;
    };
    std::stable_sort(finalists.begin(), finalists.end(), [&](int a, int b) { return time(a) < time(b); });
    result_.chosen = result_.best_uniform = -1;
    int in_order = 0;
    for (const int finalist : finalists) {
      auto at = static_cast<size_t>(finalist);
      const bool as_fast = result_.chosen < 0 || time(finalist) * kClearlyFaster <= time(result_.chosen);
      if (!trials_->at(at).in_order && result_.chosen < 0 && trials_->at(at).Counts(found.most_error) &&
          in_order++ < kMostInOrder) {
        const double seconds = trials_->at(at).measured_seconds;
        TAMIS_ASSIGN_OR_RETURN(at, trials_->TryInOrder(at));
        trials_->at(at).measured_seconds = seconds;  // it differs in its weights only
      }
      const OptimizeTrial& trial = trials_->at(at);
      if (!trial.in_order || !trial.holds || !trial.Counts(found.most_error)) continue;
      if (trial.uniform && result_.best_uniform < 0) result_.best_uniform = static_cast<int>(at);
      if (!as_fast) continue;
      if (result_.chosen < 0 ||
          trial.modelled_error < trials_->at(static_cast<size_t>(result_.chosen)).modelled_error) {
        result_.chosen = static_cast<int>(at);
      }
    }
    result_.dense_ms = trials_->at(dense).measured_seconds * 1e3;
    return {};
  }

  // The engine of a trial.
  Status Build(int trial) {
    TAMIS_ASSIGN_OR_RETURN(network_chosen_, trials_->NetworkOf(static_cast<size_t>(trial)));
    Network network;
    network.graph = network_chosen_.graph.Clone();
    network.file = network_->file;
    network.hash = network_->hash;
    network.meta = network_->meta;
    network.nodes_in_file = network_->nodes_in_file;
    Log("building the engine of: " + trials_->at(static_cast<size_t>(trial)).label);
    BuildOptions build = build_;
    build.low_layers = LowLayers(trials_->at(static_cast<size_t>(trial)).assignment);
    for (const QuantizedTensor& tensor : network_chosen_.quantize.tensors) {
      if (!tensor.record.input) build.values.push_back(tensor.record);
    }
    TAMIS_ASSIGN_OR_RETURN(const BuildResult built, BuildEngine(network, build));
    result_.engine = built.engine;
    result_.precision = built.engine->provenance.precision;
    result_.chosen = trial;
    notices_ = built.notices;
    SessionOptions session;
    session.threads = options_.build.threads;
    TAMIS_ASSIGN_OR_RETURN(session_, Session::Create(built.engine, session));
    TAMIS_ASSIGN_OR_RETURN(result_.choose, choose_.Measure(*session_));
    return {};
  }

  Result<bool> Asked(const Judge& judge) {
    TAMIS_ASSIGN_OR_RETURN(result_.confirm, judge.Measure(*session_));
    result_.confirm_samples = judge.samples();
    result_.holds = budget_.Holds(result_.confirm);
    ++result_.confirmations;
    Log(fmt::format("confirmation by {} samples: {}, {}", judge.samples(), budget_.Describe(result_.confirm),
                    result_.holds ? "holds" : "does not hold"));
    const OptimizeTrial& asked = trials_->at(static_cast<size_t>(result_.chosen));
    unproven_.Add(asked.label, asked.relative, budget_, result_.confirm, judge.samples());
    return result_.holds;
  }

  Status Confirm(SearchResult found) {
    TAMIS_RETURN_IF_ERROR(RunFinalists(found));
    if (result_.chosen < 0) return Closest();
    TAMIS_RETURN_IF_ERROR(Build(result_.chosen));
    TAMIS_ASSIGN_OR_RETURN(const bool first, Asked(confirm_));
    if (first) return {};
    // These samples are seen now. They help to choose, and the ones kept back confirm.
    choose_.Join(confirm_);
    result_.choose_samples = choose_.samples();
    const double excess = budget_.Excess(result_.confirm);
    TAMIS_RETURN_IF_ERROR(trials_->MeasureAgain());
    trials_->at(static_cast<size_t>(result_.chosen)).refused = true;
    const double used = trials_->at(static_cast<size_t>(result_.chosen)).modelled_error;
    TAMIS_ASSIGN_OR_RETURN(found, search_->Tighten(std::min(found.allowed, used) / (1 + std::max(excess, 0.2))));
    if (reserve_.samples() > 0) {
      TAMIS_RETURN_IF_ERROR(RunFinalists(found));
      if (result_.chosen >= 0) {
        TAMIS_RETURN_IF_ERROR(Build(result_.chosen));
        TAMIS_ASSIGN_OR_RETURN(const bool second, Asked(reserve_));
        if (second) return {};
      }
    }
    return OnlyRounded();
  }

  // Every layer in int8, or in bf16, where that was faster and holds, or the network as it is. What they lose is
  // rounding, which no choice made smaller: all samples may say so, also of one that those kept back were too few for.
  Status OnlyRounded() {
    confirm_.Join(std::exchange(reserve_, Judge()));
    const std::string refused = "what was chosen was not confirmed by samples kept for that; the engine is the ";
    std::vector<int> rounded;
    for (size_t i = 0; i < trials_->all().size(); ++i) {
      const OptimizeTrial& trial = trials_->at(i);
      const bool rounds = trial.uniform && CountSparse(trial.assignment) == 0 && trial.relative <= kClearlyFaster;
      if (rounds && trial.holds) rounded.push_back(static_cast<int>(i));
    }
    std::stable_sort(rounded.begin(), rounded.end(), [&](int x, int y) {
      return trials_->at(static_cast<size_t>(x)).relative < trials_->at(static_cast<size_t>(y)).relative;
    });
    for (const int trial : rounded) {
      TAMIS_RETURN_IF_ERROR(Build(trial));
      TAMIS_ASSIGN_OR_RETURN(const bool holds, Asked(confirm_));
      if (!holds) continue;
      const bool int8 = CountInt8(trials_->at(static_cast<size_t>(trial)).assignment) > 0;
      notices_.push_back(refused + "network with its layers in " + (int8 ? "int8" : result_.precision));
      return {};
    }
    TAMIS_ASSIGN_OR_RETURN(const size_t dense, trials_->Try("dense", {}, true, 0));
    TAMIS_RETURN_IF_ERROR(Build(static_cast<int>(dense)));
    TAMIS_ASSIGN_OR_RETURN(const bool holds, Asked(confirm_));
    notices_.push_back(refused + "dense network");
    if (!holds) return Closest();
    return {};
  }

  // Nothing holds: the trial that is nearest to the budget.
  Status Closest() {
    int closest = 0;
    for (size_t i = 0; i < trials_->all().size(); ++i) {
      const OptimizeTrial& trial = trials_->at(i);
      if (!trial.in_order) continue;
      const OptimizeTrial& best = trials_->at(static_cast<size_t>(closest));
      const double ours = budget_.Excess(trial.quality), others = budget_.Excess(best.quality);
      if (ours < others || (ours == others && trial.relative < best.relative)) closest = static_cast<int>(i);
    }
    TAMIS_RETURN_IF_ERROR(Build(closest));
    confirm_.Join(std::exchange(reserve_, Judge()));
    TAMIS_RETURN_IF_ERROR(Asked(confirm_).status());
    result_.holds = false;
    return {};
  }

  // The chosen network with its patterns only, and with its int8 only.
  Status SplitError() {
    Assignment sparse, quantized;
    for (const auto& [name, setting] : trials_->at(static_cast<size_t>(result_.chosen)).assignment) {
      if (setting.IsSparse()) sparse[name] = {setting.pattern, LayerType::kFull};
      if (setting.IsInt8()) quantized[name] = {LayerPattern::kDense, LayerType::kInt8};
    }
    const auto error = [&](const Assignment& assignment) -> Result<double> {
      if (assignment.empty()) return 0.0;
      TAMIS_ASSIGN_OR_RETURN(const Graph draft, candidates_->Draft(assignment));
      TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(draft, {}));
      TAMIS_ASSIGN_OR_RETURN(const auto session, QuickSession(fused, DType::kFloat32, options_.build.threads));
      TAMIS_ASSIGN_OR_RETURN(const Quality quality, choose_.Measure(*session));
      return 1 - quality.agreement;
    };
    TAMIS_ASSIGN_OR_RETURN(result_.split.sparse, error(sparse));
    TAMIS_ASSIGN_OR_RETURN(result_.split.quantized, error(quantized));
    result_.split.both = 1 - result_.choose.agreement;
    return {};
  }

  void Report() {
    result_.trials = trials_->all();
    result_.budget = budget_;
    result_.full = options_.build.precision == Precision::kBFloat16 ? "bf16" : "f32";
    result_.data_hash = data_.hash();
    result_.calibration = candidates_->verdict();
    const OptimizeTrial& chosen = result_.trials[static_cast<size_t>(result_.chosen)];
    result_.ms = chosen.measured_seconds * 1e3;
    result_.predicted_ms = chosen.seconds * 1e3;
    result_.dense_predicted_ms = timer_->Seconds(timer_->dense()) * 1e3;
    for (const OptimizeTrial& trial : trials_->all()) {
      unproven_.Add(trial.label, trial.relative, budget_, trial.quality, choose_.samples());
    }
    if (std::string faster = unproven_.FasterThan(chosen.relative); !faster.empty()) {
      notices_.push_back(std::move(faster));
    }
    result_.notices.insert(result_.notices.end(), notices_.begin(), notices_.end());
    if (budget_.max_drop >= 0 && !result_.choose.labelled) {
      result_.notices.push_back(
          result_.choose.by_probabilities
              ? "there are no labels: top-1 is not measured but expected, each changed answer for what it costs by the "
                "dense network's own probabilities"
              : "there are no labels, and the scores don't say how sure the network is of an answer (the best two are "
                "too close to be logarithms of probabilities): each answer that is not the dense network's counts as "
                "lost");
    }
    std::map<std::string, const LayerReport*> reports;
    for (const LayerReport& report : network_chosen_.prune.layers) reports[report.name] = &report;
    Provenance& provenance = result_.engine->provenance;
    for (const CandidateLayer& candidate : candidates_->layers()) {
      OptimizedLayer layer;
      layer.name = candidate.name;
      layer.node = candidate.node;
      layer.op = candidate.op;
      layer.elements = candidate.elements;
      layer.setting = SettingOf(chosen.assignment, candidate.name);
      if (const LayerRow* row = table_.Find(candidate.name)) layer.row = *row;
      layer.reason = ReasonOf(candidate, layer.row, layer.setting, {options_.int8, timer_->AsksForBFloat16()});
      layer.weight_error = layer.setting.IsInt8() ? candidate.weight_error : 0;
      if (const auto found = reports.find(candidate.name); found != reports.end()) layer.report = *found->second;
      LayerRecord record = ToRecord(layer.report);
      record.name = layer.name;
      record.pattern = Name(layer.setting.pattern);
      record.reason = layer.reason;
      record.dense_seconds = layer.row.TimesAs(LayerType::kFull).seconds[0];
      record.sparse_seconds = layer.row.TimesAs(LayerType::kFull).seconds[1];
      provenance.layers.push_back(std::move(record));
      result_.layers.push_back(std::move(layer));
    }
    provenance.data_hash = HexString(data_.hash());
    provenance.accuracy["agreement.choose"] = result_.choose.agreement;
    provenance.accuracy["agreement.confirm"] = result_.confirm.agreement;
    if (result_.confirm.has_scores) provenance.accuracy["drop.confirm"] = result_.confirm.drop;
  }

  const Network* network_;
  Network permuted_;
  const DataSource& data_;
  const OptimizeOptions& options_;
  const Budget& budget_;
  BuildOptions build_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<NamedTensors> fit_;
  Judge choose_, confirm_, reserve_;
  std::unique_ptr<Candidates> candidates_;
  std::unique_ptr<NetworkTimer> timer_;
  LayerTable table_;
  std::unique_ptr<Trials> trials_;
  std::unique_ptr<Search> search_;
  PrunedNetwork network_chosen_;
  std::shared_ptr<Session> session_;
  std::vector<std::string> notices_;
  UnprovenNetworks unproven_;
  OptimizeResult result_;
};

}  // namespace

SplitSizes OptimizeSplit(int64_t samples) {
  constexpr int64_t kUsual = 512, kMostFit = 512;
  const int64_t all = samples > 0 ? samples : kUsual;
  SplitSizes sizes;
  sizes.choose = std::max<int64_t>(all * 3 / 16, 1);
  sizes.confirm = std::max<int64_t>(all / 4, 1);
  sizes.fit = std::max<int64_t>(all - sizes.choose - sizes.confirm, 1);
  if (sizes.fit <= kMostFit) return sizes;
  // Weights are known well enough by then; what more samples buy is certainty.
  sizes.fit = kMostFit;
  sizes.choose = (all - kMostFit) * 3 / 7;
  sizes.confirm = all - kMostFit - sizes.choose;
  return sizes;
}

int64_t FirstToConfirm(int64_t confirm) {
  return (2 * confirm + 2) / 3;
}

Result<OptimizeResult> Optimize(const Network& network, const DataSource& data, const OptimizeOptions& given) {
  OptimizeOptions options = given;
  TAMIS_RETURN_IF_ERROR(CheckBudget(options.budget));
  if (options.budget.min_agreement <= 0 && options.budget.max_drop < 0) {
    options.budget.max_drop = OptimizeOptions::kDefaultDrop;
  }
  auto step = std::make_shared<std::string>("start");
  options.log = [step, log = given.log](const std::string& text) {
    *step = text;
    if (log) log(text);
  };
  if (given.progress) {
    const auto report = [step, progress = given.progress](int done, int total, const std::string& what) {
      progress(done, total, *step + ", " + what);
    };
    options.prune.progress = options.quantize.progress = options.build.progress = report;
  }
  if (given.cancelled) {
    options.prune.cancelled = options.quantize.cancelled = options.build.cancelled = given.cancelled;
  }
  return Optimizer(network, data, options).Run();
}

double OptimizeResult::ShareOf(const std::function<bool(const LayerSetting&)>& of) const {
  double all = 0, some = 0;
  for (const OptimizedLayer& layer : layers) {
    all += static_cast<double>(layer.elements);
    if (of(layer.setting)) some += static_cast<double>(layer.elements);
  }
  return all > 0 ? some / all : 0;
}

std::string BudgetMissed(const OptimizeResult& result) {
  const OptimizeTrial& closest = result.trials[static_cast<size_t>(result.chosen)];
  return fmt::format(
      "the budget, {}, can't be held. The closest that can be had is {} ({}): {} on {} samples kept for that, {:.3f} "
      "ms",
      result.budget.Text(), closest.label, result.precision, result.budget.Describe(result.confirm),
      result.confirm_samples, closest.seconds * 1e3);
}

}  // namespace tamis
