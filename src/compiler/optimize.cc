#include "src/compiler/optimize.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/base/hash.h"
#include "src/compiler/choose_precision.h"
#include "src/compiler/compare.h"
#include "src/compiler/prune_layers.h"
#include "src/compiler/sensitivity.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

constexpr int64_t kBatch = 32;

// Samples with the dense network's answers, computed once.
struct Judge {
  std::vector<NamedTensors> batches;
  std::vector<NamedTensors> dense;
  std::vector<int64_t> labels;  // empty if there are none

  // Quality of a session on these samples.
  Result<Quality> Measure(Session& session) const {
    std::map<std::string, OutputComparison> outputs;
    int64_t right = 0, right_dense = 0, classified = 0;
    for (size_t i = 0; i < batches.size(); ++i) {
      TAMIS_ASSIGN_OR_RETURN(const NamedTensors answers, session.Run(batches[i]));
      for (const auto& [name, reference] : dense[i]) {
        const Tensor& ours = answers.at(name);
        TAMIS_RETURN_IF_ERROR(outputs[name].Add(ours, reference));
        if (labels.empty() || reference.rank() != 2 || reference.dim(1) < 2 || dense[i].size() != 1) continue;
        const auto top = TopOne(ours);
        const auto top_dense = TopOne(reference);
        for (size_t k = 0; k < top.size(); ++k, ++classified) {
          const int64_t label = labels[static_cast<size_t>(classified)];
          right += top[k] == label ? 1 : 0;
          right_dense += top_dense[k] == label ? 1 : 0;
        }
      }
    }
    Quality quality;
    for (const auto& [name, comparison] : outputs) {
      if (comparison.MeanCosine() < quality.agreement) {
        quality.agreement = comparison.MeanCosine();
        quality.agreement_error = comparison.MeanCosineError();
      }
      const double same = comparison.TopOneAgreement();
      if (same >= 0 && classified == 0) quality.drop = std::max(quality.drop, 100 * (1 - same));
    }
    if (classified > 0)
      quality.drop = 100.0 * static_cast<double>(right_dense - right) / static_cast<double>(classified);
    return quality;
  }
};

Result<std::shared_ptr<Session>> DenseSession(const Network& network, int threads) {
  BuildOptions options;
  options.threads = threads;
  options.tune = false;
  TAMIS_ASSIGN_OR_RETURN(const BuildResult built, BuildEngine(network, options));
  SessionOptions session;
  session.threads = threads;
  return Session::Create(built.engine, session);
}

Result<Judge> MakeJudge(const DataSource& data, const std::vector<int64_t>& samples, Session& dense) {
  Judge judge;
  TAMIS_ASSIGN_OR_RETURN(judge.batches, ReadBatches(data, samples, kBatch));
  for (const NamedTensors& batch : judge.batches) {
    TAMIS_ASSIGN_OR_RETURN(NamedTensors answers, dense.Run(batch));
    judge.dense.push_back(std::move(answers));
  }
  if (!data.labels().empty()) {
    for (const int64_t sample : samples) judge.labels.push_back(data.labels()[static_cast<size_t>(sample)]);
  }
  return judge;
}

class Optimizer {
 public:
  Optimizer(const Network& network, const DataSource& data, const OptimizeOptions& options)
      : network_(network), data_(data), options_(options) {}

  Result<OptimizeResult> Run() {
    pool_ = std::make_shared<ThreadPool>(options_.build.threads);
    TAMIS_RETURN_IF_ERROR(Prepare());
    TAMIS_RETURN_IF_ERROR(MakeTuner());
    TAMIS_RETURN_IF_ERROR(ChoosePrecision());
    TAMIS_RETURN_IF_ERROR(TimeLayers());
    TAMIS_RETURN_IF_ERROR(RankLayers());
    TAMIS_RETURN_IF_ERROR(Search());
    TAMIS_RETURN_IF_ERROR(Finish());
    return std::move(result_);
  }

 private:
  void Log(const std::string& text) const {
    if (options_.log) options_.log(text);
  }

  bool Holds(const Quality& quality) const {
    constexpr double kOneSided95 = 1.645;
    if (options_.min_agreement <= 0) return quality.drop <= options_.max_drop;
    return quality.agreement - kOneSided95 * quality.agreement_error >= options_.min_agreement;
  }

  std::string Describe(const Quality& quality) const {
    return options_.min_agreement > 0
               ? fmt::format("agreement {:.4f} +- {:.4f}", quality.agreement, quality.agreement_error)
               : fmt::format("drop {:.2f} points", quality.drop);
  }

  Status Prepare() {
    TAMIS_ASSIGN_OR_RETURN(const SampleSplit split, SplitSamples(data_, options_.split, options_.seed));
    TAMIS_ASSIGN_OR_RETURN(fit_, ReadBatches(data_, split.fit, kBatch));
    TAMIS_ASSIGN_OR_RETURN(const auto dense, DenseSession(network_, options_.build.threads));
    TAMIS_ASSIGN_OR_RETURN(choose_, MakeJudge(data_, split.choose, *dense));
    TAMIS_ASSIGN_OR_RETURN(confirm_, MakeJudge(data_, split.confirm, *dense));
    result_.fit_samples = static_cast<int64_t>(split.fit.size());
    result_.choose_samples = static_cast<int64_t>(split.choose.size());
    result_.confirm_samples = static_cast<int64_t>(split.confirm.size());
    Log(fmt::format("samples: {} to fit, {} to choose, {} to confirm", split.fit.size(), split.choose.size(),
                    split.confirm.size()));
    return {};
  }

  Result<Graph> FuseAsChosen(const Graph& graph) const {
    PassOptions passes;
    passes.precision = precision_;
    if (mixed_) passes.low_nodes = &low_nodes_;
    passes.skip = options_.build.without;
    return Fuse(graph, passes);
  }

  // An engine of `graph` that is not tuned: its answers are those of the tuned one but for rounding.
  Result<std::shared_ptr<Session>> QuickSession(const Graph& graph) const {
    auto engine = std::make_shared<Engine>();
    TAMIS_ASSIGN_OR_RETURN(engine->fused, FuseAsChosen(graph));
    HashConstants(engine->fused);
    engine->provenance.source_file = network_.file;
    engine->provenance.precision = precision_ == DType::kBFloat16 ? "bf16" : "f32";
    SessionOptions session;
    session.threads = options_.build.threads;
    return Session::Create(std::move(engine), session);
  }

  Status MakeTuner() {
    const auto& ranges = options_.build.profiles;
    for (size_t i = 0; i < std::max<size_t>(ranges.size(), 1); ++i) {
      TAMIS_ASSIGN_OR_RETURN(Profile profile,
                             MakeProfile(network_.graph, i < ranges.size() ? ranges[i] : InputRanges{}));
      profiles_.push_back(std::move(profile));
    }
    TunerOptions options;
    options.threads = pool_->threads();
    options.cache_path = options_.build.cache_path;
    options.cancelled = options_.build.cancelled;
    tuner_ = std::make_unique<Tuner>(std::move(options));
    return {};
  }

  // By measured time, as if every layer were pruned; then by accuracy.
  Status ChoosePrecision() {
    precision_ = options_.build.precision == Precision::kBFloat16 ? DType::kBFloat16 : DType::kFloat32;
    may_be_low_ = options_.build.precision == Precision::kAuto && Cpu().avx512_bf16;
    if (may_be_low_) {
      PrecisionQuestion question;
      question.without = options_.build.without;
      question.profiles = profiles_;
      question.threads = pool_->threads();
      question.as_if_pruned = true;
      TAMIS_ASSIGN_OR_RETURN(PrecisionChoice choice,
                             tamis::ChoosePrecision(network_.graph, question, *tuner_, nullptr));
      Log(choice.Describe());
      precision_ = choice.precision;
      mixed_ = choice.mixed;
      low_nodes_ = std::move(choice.low_nodes);
    }
    may_be_low_ = may_be_low_ && precision_ == DType::kBFloat16;
    if (may_be_low_) {
      TAMIS_ASSIGN_OR_RETURN(const auto session, QuickSession(network_.graph));
      TAMIS_ASSIGN_OR_RETURN(const Quality quality, choose_.Measure(*session));
      if (!Holds(quality)) {
        precision_ = DType::kFloat32;
        mixed_ = may_be_low_ = false;
      }
      Log(fmt::format("bf16 without pruning: {}", Describe(quality)));
    }
    result_.precision = precision_ == DType::kBFloat16 ? "bf16" : "f32";
    TAMIS_ASSIGN_OR_RETURN(fused_, FuseAsChosen(network_.graph));
    return {};
  }

  // At every profile's opt.
  Status TimeLayers() {
    for (const Profile& profile : profiles_) {
      TAMIS_ASSIGN_OR_RETURN(GainPrediction prediction,
                             PredictGain(fused_, TuningPoints(profile).front(), *tuner_, pool_->threads()));
      predictions_.push_back(std::move(prediction));
    }
    // What is reported is the profile of the longest run.
    prediction_ = *std::max_element(
        predictions_.begin(), predictions_.end(),
        [](const GainPrediction& a, const GainPrediction& b) { return a.DenseSeconds() < b.DenseSeconds(); });
    const auto gains = std::count_if(prediction_.layers.begin(), prediction_.layers.end(),
                                     [&](const LayerTime& layer) { return WeightGains(layer.weight); });
    Log(fmt::format("{} of {} layers are faster as 2:4 on this machine in {}", gains, prediction_.layers.size(),
                    result_.precision));
    return {};
  }

  bool WeightGains(const std::string& weight) const { return GainOf(weight) > 0; }

  // Share of a run's time, summed over the profiles: a long one does not outweigh the others.
  double GainOf(const std::string& weight) const {
    double gain = 0;
    for (const GainPrediction& prediction : predictions_) {
      double seconds = 0;
      for (const LayerTime& layer : prediction.layers) {
        if (layer.weight == weight) seconds += layer.dense_seconds - layer.Best();
      }
      gain += seconds / std::max(prediction.DenseSeconds(), 1e-9);
    }
    return gain;
  }

  // Orders the layers worth pruning by harm for each second gained.
  Status RankLayers() {
    PruneOptions prune = options_.prune;
    Graph plain;
    TAMIS_ASSIGN_OR_RETURN(plain, Fuse(network_.graph, {}));
    std::vector<std::string> all;
    for (const WeightLayer& layer : FindWeightLayers(network_.graph, plain, {})) {
      all.push_back(layer.initializer);
      if (!WeightGains(layer.initializer)) prune.keep.push_back(layer.initializer);
    }
    all_layers_ = all;
    const size_t few = std::min<size_t>(choose_.batches.size(), 2);
    TAMIS_ASSIGN_OR_RETURN(
        const auto measured,
        MeasureSensitivity(network_.graph, fit_, std::span(choose_.batches).first(few), prune, pool_));
    std::vector<std::pair<double, std::string>> harm;
    for (const LayerSensitivity& layer : measured) {
      sensitivity_[layer.name] = layer.cosine_loss;
      const double gain = GainOf(layer.name);
      if (gain > 0) harm.emplace_back(std::max(layer.cosine_loss, 1e-9) / gain, layer.name);
    }
    std::sort(harm.begin(), harm.end());
    for (const auto& [ratio, name] : harm) order_.push_back(name);
    Log(fmt::format("sensitivity of {} layers measured", measured.size()));
    return {};
  }

  struct Trial {
    Graph graph;
    PruneReport report;
    OptimizeTrial outcome;
  };

  // Prunes the first `count` layers of the order.
  Result<Trial> Try(size_t count) {
    Trial trial;
    trial.graph = network_.graph.Clone();
    PruneOptions prune = options_.prune;
    for (const std::string& layer : all_layers_) {
      if (std::find(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count), layer) ==
          order_.begin() + static_cast<std::ptrdiff_t>(count)) {
        prune.keep.push_back(layer);
      }
    }
    TAMIS_ASSIGN_OR_RETURN(trial.report, Prune(trial.graph, fit_, prune, pool_));
    TAMIS_ASSIGN_OR_RETURN(const auto session, QuickSession(trial.graph));
    TAMIS_ASSIGN_OR_RETURN(trial.outcome.choose, choose_.Measure(*session));
    trial.outcome.layers = static_cast<int64_t>(count);
    trial.outcome.holds = Holds(trial.outcome.choose);
    Log(fmt::format("{} layers 2:4: {}, {}", count, Describe(trial.outcome.choose),
                    trial.outcome.holds ? "holds" : "too much"));
    result_.trials.push_back(trial.outcome);
    return trial;
  }

  // The largest number of layers that holds. Quality falls with the number of layers but for noise, so bisection finds
  // it; the first try is everything.
  Status Search() {
    size_t holds = 0;
    size_t fails = order_.size() + 1;
    size_t next = order_.size();
    while (fails - holds > 1) {
      TAMIS_ASSIGN_OR_RETURN(Trial trial, Try(next));
      if (trial.outcome.holds) {
        holds = next;
        best_ = std::move(trial);
      } else {
        fails = next;
      }
      next = (holds + fails) / 2;
    }
    if (holds == 0) {
      TAMIS_ASSIGN_OR_RETURN(best_, Try(0));
    }
    return {};
  }

  Result<Quality> Confirm(Trial& trial) {
    Network pruned;
    pruned.graph = trial.graph.Clone();
    pruned.file = network_.file;
    pruned.hash = network_.hash;
    pruned.nodes_in_file = network_.nodes_in_file;
    BuildOptions build = options_.build;
    build.precision = may_be_low_                      ? Precision::kAuto
                      : precision_ == DType::kBFloat16 ? Precision::kBFloat16
                                                       : Precision::kFloat32;
    Log("building and tuning the engine");
    TAMIS_ASSIGN_OR_RETURN(BuildResult built, BuildEngine(pruned, build));
    result_.notices = built.notices;
    result_.engine = built.engine;
    result_.precision = built.engine->provenance.precision;
    SessionOptions session_options;
    session_options.threads = options_.build.threads;
    TAMIS_ASSIGN_OR_RETURN(const auto session, Session::Create(built.engine, session_options));
    TAMIS_ASSIGN_OR_RETURN(result_.choose, choose_.Measure(*session));
    return confirm_.Measure(*session);
  }

  Status Finish() {
    // The choose split was looked at many times; the confirm split decides, and where it says no, layers go back.
    while (true) {
      TAMIS_ASSIGN_OR_RETURN(result_.confirm, Confirm(best_));
      result_.holds = Holds(result_.confirm);
      Log(fmt::format("confirm split: {}, {}", Describe(result_.confirm), result_.holds ? "holds" : "does not hold"));
      if (result_.holds || best_.outcome.layers == 0) break;
      const int64_t fewer = best_.outcome.layers - std::max<int64_t>(1, best_.outcome.layers / 8);
      TAMIS_ASSIGN_OR_RETURN(best_, Try(static_cast<size_t>(fewer)));
    }
    if (!result_.holds) {
      result_.notices.push_back(
          fmt::format("even without pruning the engine misses the budget in {} ({}); --precision f32 or a wider budget "
                      "would help",
                      result_.precision, Describe(result_.confirm)));
    }
    std::map<std::string, const LayerReport*> reports;
    for (const LayerReport& report : best_.report.layers) reports[report.name] = &report;
    for (const LayerTime& time : prediction_.layers) {
      OptimizedLayer layer;
      layer.time = time;
      layer.sensitivity = sensitivity_.count(time.weight) ? sensitivity_[time.weight] : 0;
      if (const auto found = reports.find(time.weight); found != reports.end()) layer.report = *found->second;
      layer.report.name = time.weight;
      if (layer.report.pattern != "2:4") layer.report.reason = ReasonDense(layer);
      result_.layers.push_back(std::move(layer));
    }
    const auto pruned = [&](const LayerTime& time) {
      const auto found = reports.find(time.weight);
      return found != reports.end() && found->second->pattern == "2:4";
    };
    result_.dense_ms = prediction_.DenseSeconds() * 1e3;
    result_.predicted_ms = prediction_.SecondsWith(pruned) * 1e3;
    Record();
    return {};
  }

  std::string ReasonDense(const OptimizedLayer& layer) const {
    if (!WeightGains(layer.time.weight)) {
      if (layer.time.sparse_seconds <= 0) return layer.time.sparse_reason;
      return fmt::format("2:4 is not faster here: {:.3f} ms against {:.3f} ms dense", layer.time.sparse_seconds * 1e3,
                         layer.time.dense_seconds * 1e3);
    }
    const bool ranked = std::find(order_.begin(), order_.end(), layer.time.weight) != order_.end();
    if (ranked) return fmt::format("kept dense for accuracy: alone it costs {:.4f} of the cosine", layer.sensitivity);
    return layer.report.reason;
  }

  void Record() {
    Provenance& provenance = result_.engine->provenance;
    provenance.data_hash = HexString(data_.hash());
    provenance.accuracy["agreement.choose"] = result_.choose.agreement;
    provenance.accuracy["agreement.confirm"] = result_.confirm.agreement;
    provenance.accuracy["drop.confirm"] = result_.confirm.drop;
    for (const OptimizedLayer& layer : result_.layers) {
      LayerRecord record = ToRecord(layer.report);
      record.dense_seconds = layer.time.dense_seconds;
      record.sparse_seconds = layer.time.sparse_seconds;
      provenance.layers.push_back(std::move(record));
    }
  }

  const Network& network_;
  const DataSource& data_;
  const OptimizeOptions& options_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<NamedTensors> fit_;
  Judge choose_, confirm_;
  std::vector<Profile> profiles_;
  std::unique_ptr<Tuner> tuner_;
  DType precision_ = DType::kFloat32;  // kBFloat16 as soon as one node is
  bool mixed_ = false;                 // low_nodes_ says which
  bool may_be_low_ = false;            // the engine's build may choose again, for the weights as they are pruned
  std::set<std::string> low_nodes_;
  Graph fused_;
  std::vector<GainPrediction> predictions_;  // by profile
  GainPrediction prediction_;
  std::map<std::string, double> sensitivity_;
  std::vector<std::string> all_layers_, order_;
  Trial best_;
  OptimizeResult result_;
};

}  // namespace

Result<OptimizeResult> Optimize(const Network& network, const DataSource& data, const OptimizeOptions& options) {
  if ((options.min_agreement > 0) == (options.max_drop >= 0)) {
    return UserError("give one budget: --min-agreement COSINE or --max-drop POINTS");
  }
  if (options.min_agreement > 1)
    return UserError("--min-agreement is {}; a cosine is at most 1", options.min_agreement);
  return Optimizer(network, data, options).Run();
}

}  // namespace tamis
