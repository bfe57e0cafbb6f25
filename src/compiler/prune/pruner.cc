#include "src/compiler/prune/pruner.h"

#include <algorithm>
#include <set>
#include <utility>

#include "src/base/freed_memory.h"
#include "src/base/hash.h"
#include "src/compiler/calibrate/check_samples.h"
#include "src/compiler/prune/prune_tokens.h"
#include "src/compiler/prune/prune_write_back.h"

namespace tamis {
namespace {

LayerReport ReportOf(const WeightLayer& layer) {
  LayerReport report;
  report.name = layer.initializer;
  report.node = layer.node;
  report.op = layer.op;
  report.pattern = "dense";
  report.reason = layer.reason;
  report.n = layer.layout.rows;
  report.k = layer.layout.columns;
  return report;
}

// Joins the report of another part of the same initializer, weighted by rows.
void Join(const LayerReport& part, LayerReport* whole) {
  const double total = static_cast<double>(whole->n + part.n), share = static_cast<double>(part.n) / total;
  whole->saliency_kept += share * (part.saliency_kept - whole->saliency_kept);
  whole->output_error += share * (part.output_error - whole->output_error);
  whole->n += part.n;
  whole->bias_moved = whole->bias_moved && part.bias_moved;
}

int64_t SamplesOf(std::span<const NamedTensors> batches) {
  int64_t samples = 0;
  for (const NamedTensors& batch : batches) {
    if (!batch.empty() && batch.begin()->second.rank() > 0) samples += batch.begin()->second.dim(0);
  }
  return samples;
}

// Where both networks' values are kept, and as many batches, evenly spaced, as there is room for.
Status FindRoom(const Graph& fused, const PruneOptions& options, bool hold_all, PreparedBatches* prepared,
                std::vector<std::string>* notes) {
  std::vector<NamedTensors>& batches = prepared->inputs;
  size_t needed = 0;
  for (const NamedTensors& batch : batches) needed += 2 * ValueBytes(fused, batch, hold_all);
  if (needed <= options.memory_bytes) return {};
  TAMIS_ASSIGN_OR_RETURN(prepared->store, TensorStore::Make());
  const size_t budget = options.disk_bytes > 0 ? options.disk_bytes : TensorStore::FreeBytes() / 2;
  if (needed <= budget) return {};
  const auto count =
      std::max<size_t>(1, static_cast<size_t>(static_cast<double>(batches.size()) * static_cast<double>(budget) /
                                              static_cast<double>(needed)));
  const int64_t before = SamplesOf(batches);
  std::vector<NamedTensors> kept;
  for (size_t i = 0; i < count; ++i) kept.push_back(std::move(batches[i * batches.size() / count]));
  notes->push_back(fmt::format(
      "{} of {} samples were used: the values of all would take {:.1f} GiB of disk, and there are {:.1f} for them",
      SamplesOf(kept), before, static_cast<double>(needed) / (1 << 30), static_cast<double>(budget) / (1 << 30)));
  batches = std::move(kept);
  return {};
}

}  // namespace

Result<PreparedBatches> PrepareBatches(const Graph& fused, std::span<const NamedTensors> given,
                                       const PruneOptions& options, bool hold_all, std::shared_ptr<ThreadPool> pool,
                                       std::vector<std::string>* notes) {
  PreparedBatches prepared;
  prepared.inputs.assign(given.begin(), given.end());
  TokenFilter& filter = prepared.filter;
  filter.mask = FindTokenMask(fused);
  if (filter.mask) {
    filter.answers_once = AnswersOnce(fused, *filter.mask);
    TAMIS_ASSIGN_OR_RETURN(prepared.inputs,
                           TrimPadding(fused, *filter.mask, std::move(prepared.inputs), options.batch, pool));
  }
  TAMIS_RETURN_IF_ERROR(FindRoom(fused, options, hold_all, &prepared, notes));
  for (const NamedTensors& batch : prepared.inputs) {
    if (!filter.mask) break;
    TAMIS_ASSIGN_OR_RETURN(TokenFlags flags, EvaluateTokenMask(fused, *filter.mask, batch, pool));
    filter.flags.push_back(std::move(flags));
  }
  return prepared;
}

Pruner::Pruner(Graph& simplified, Graph& fused, const PruneOptions& options, Mode mode,
               std::shared_ptr<ThreadPool> pool)
    : simplified_(simplified),
      fused_(fused),
      dense_(fused.Clone()),
      options_(options),
      mode_(mode),
      pool_(std::move(pool)) {
  layers_ = FindWeightLayers(simplified, fused, LayerRules{.keep = options.keep});
  if (!options.rounding.layers.empty() && mode == Mode::kInOrder) FindRounded();
  for (const WeightLayer& layer : layers_) {
    const LayerTask task = TaskOf(layer);
    total_ += task.prune || task.round;
  }
}

// An initializer of which one part can't be rounded is left alone.
void Pruner::FindRounded() {
  const std::vector<WeightLayer> layers =
      FindWeightLayers(simplified_, fused_, LayerRules{.least_outputs = 1, .keep = {}});
  std::set<std::string> left_alone;
  for (const WeightLayer& layer : layers) {
    if (!layer.reason.empty() || !Moments::CheckColumns(layer.layout.columns).ok()) {
      left_alone.insert(layer.initializer);
    }
  }
  for (const WeightLayer& layer : layers) {
    const std::string& name = layer.initializer;
    if (options_.rounding.layers.count(name) != 0 && left_alone.count(name) == 0) to_round_.insert(layer.weight);
  }
}

// Codes after a choice by magnitude are the nearest, for whoever makes them: a fit to the outputs would be a
// reconstruction.
LayerTask Pruner::TaskOf(const WeightLayer& layer) const {
  const bool fits = !options_.prune || FitsOutputs(options_.method);
  return {options_.prune && layer.reason.empty(), fits && to_round_.count(layer.weight) != 0};
}

bool Pruner::HasMoments(const WeightLayer& layer) const {
  const LayerTask task = TaskOf(layer);
  return (task.prune || task.round) && Moments::CheckColumns(layer.layout.columns).ok();
}

Result<PruneReport> Pruner::Run(std::span<const NamedTensors> given) {
  TAMIS_RETURN_IF_ERROR(CheckKeep(layers_, options_.keep));
  if (options_.prune) TAMIS_RETURN_IF_ERROR(CheckFinite(fused_, layers_));
  if (given.empty()) {
    if ((options_.method != PruneOptions::Method::kMagnitude || !options_.prune) && total_ > 0) {
      return UserError(
          "this needs samples of the network's inputs; without any, weights can be chosen by their magnitude alone");
    }
    for (const WeightLayer& layer : layers_) TAMIS_RETURN_IF_ERROR(Fit(layer, {}));
    return Take();
  }
  TAMIS_RETURN_IF_ERROR(CheckInputs(dense_, given));
  std::vector<NamedTensors> labelled;
  if (options_.method == PruneOptions::Method::kGradient) {
    TAMIS_ASSIGN_OR_RETURN(labelled, WithLabelsBeside(given, options_.labels));
    given = labelled;
  }
  TAMIS_ASSIGN_OR_RETURN(PreparedBatches batches,
                         PrepareBatches(dense_, given, options_, false, pool_, &report_.notes));
  report_.samples = SamplesOf(batches.inputs);
  if (!labelled.empty()) TAMIS_RETURN_IF_ERROR(WeighSamples(&batches));
  TAMIS_RETURN_IF_ERROR(SeeShared(batches));
  TAMIS_RETURN_IF_ERROR(Walk(batches));
  return Take();
}

uint64_t Pruner::SeedOf(const WeightLayer& layer, NodeId user) const {
  return Hash64(layer.initializer, options_.seed + static_cast<uint64_t>(user));
}

const SampleShares* Pruner::SharesFor(NodeId user) const {
  const auto found = shares_.find(user);
  return found == shares_.end() ? nullptr : &found->second;
}

Status Pruner::WeighSamples(PreparedBatches* batches) {
  LossGradientOptions options;
  options.seed = options_.seed;
  options.progress = options_.progress;
  options.cancelled = options_.cancelled;
  for (const WeightLayer& layer : layers_) {
    if (HasMoments(layer)) options.nodes.insert(layer.users.begin(), layer.users.end());
  }
  options.labels = TakeLabels(&batches->inputs);
  TAMIS_ASSIGN_OR_RETURN(shares_, EstimateSampleShares(dense_, batches->inputs, options, pool_));
  return {};
}

// A shared weight is fitted when its first user is reached. What its later users read is not known for the pruned
// network then, so the dense network's values stand for it.
Status Pruner::SeeShared(const PreparedBatches& batches) {
  std::map<NodeId, const WeightLayer*> later;
  for (const WeightLayer& layer : layers_) {
    if (!HasMoments(layer)) continue;
    for (size_t i = 1; i < layer.users.size(); ++i) later[layer.users[i]] = &layer;
  }
  if (later.empty()) return {};
  const std::vector<NodeId> last = LastReaders(dense_);
  PairedRun run(dense_, dense_, pool_);
  TAMIS_RETURN_IF_ERROR(run.Start(batches.inputs, batches.store));
  for (const NodeId id : dense_.NodeIds()) {
    if (const auto found = later.find(id); found != later.end()) {
      const WeightLayer& layer = *found->second;
      auto& moments = shared_.try_emplace(layer.weight, EmptyMoments(layer)).first->second;
      TAMIS_RETURN_IF_ERROR(
          AddMoments(dense_, layer, id, run, batches.filter, SharesFor(id), SeedOf(layer, id), *pool_, &moments));
    }
    TAMIS_RETURN_IF_ERROR(run.RunDense(id));
    run.ReleaseAfter(id, last);
  }
  return {};
}

Status Pruner::Walk(const PreparedBatches& batches) {
  std::map<NodeId, const WeightLayer*> first_user;
  for (const WeightLayer& layer : layers_) {
    const LayerTask task = TaskOf(layer);
    if (task.prune || task.round) first_user[layer.users[0]] = &layer;
  }
  const std::vector<NodeId> last = LastReaders(dense_);
  std::set<NodeId> changed;
  PairedRun run(dense_, fused_, pool_);
  TAMIS_RETURN_IF_ERROR(run.Start(batches.inputs, batches.store));
  size_t left = first_user.size();
  for (const NodeId id : dense_.NodeIds()) {
    if (left == 0) break;  // what comes after the last layer changes nothing
    if (const auto found = first_user.find(id); found != first_user.end()) {
      const WeightLayer& layer = *found->second;
      std::vector<MomentFolds> moments;
      if (HasMoments(layer)) {
        moments = EmptyMoments(layer);
        TAMIS_RETURN_IF_ERROR(
            AddMoments(dense_, layer, id, run, batches.filter, SharesFor(id), SeedOf(layer, id), *pool_, &moments));
        if (const auto shared = shared_.extract(layer.weight)) {
          for (size_t g = 0; g < moments.size(); ++g) {
            for (const size_t fold : {0, 1}) moments[g][fold].Add(shared.mapped()[g][fold]);
          }
        }
      } else {
        report_.notes.push_back(layer.initializer + ": " + Moments::CheckColumns(layer.layout.columns).message());
      }
      TAMIS_RETURN_IF_ERROR(Fit(layer, std::move(moments)));
      if (mode_ == Mode::kInOrder) changed.insert(layer.users.begin(), layer.users.end());
      if (--left == 0) break;
    }
    TAMIS_RETURN_IF_ERROR(run.RunDense(id));
    TAMIS_RETURN_IF_ERROR(run.RunPruned(id, changed.count(id) != 0));
    run.ReleaseAfter(id, last);
    for (const Graph* graph : {&std::as_const(dense_), &std::as_const(fused_)}) {
      for (const ValueId input : graph->node(id).inputs) {
        if (input != kNoValue && graph->value(input).constant) TensorStore::Rest(*graph->value(input).constant);
      }
    }
  }
  return {};
}

Status Pruner::Fit(const WeightLayer& layer, std::vector<MomentFolds> moments) {
  const LayerTask task = TaskOf(layer);
  if (!task.prune && !task.round) return {};
  const FreedMemoryReturned returned;
  if (options_.progress) options_.progress(done_, total_, layer.initializer);
  if (options_.cancelled && options_.cancelled()) {
    return RuntimeError("{} was interrupted", options_.prune ? "pruning" : "rounding");
  }
  PruneOptions options = options_;
  options.reconstruct.paired = options.reconstruct.paired || std::find(options_.paired.begin(), options_.paired.end(),
                                                                       layer.initializer) != options_.paired.end();
  auto fit = FitLayer(layer, *dense_.value(layer.weight).constant, std::move(moments), task, options, *pool_);
  if (!fit.ok()) return fit.status().WithContext("layer '" + layer.initializer + "'");
  if (mode_ == Mode::kInOrder) {
    TAMIS_RETURN_IF_ERROR(WriteBack(layer, fit->weight, fit->bias_delta, simplified_, fused_));
    if (TensorStore::Holds(*dense_.value(layer.weight).constant)) {  // then so is what takes its place
      constants_.Keep(simplified_);
      constants_.Keep(fused_);
    }
  }
  Remember(layer, *fit);
  if (mode_ == Mode::kAlone) fits_.emplace(layer.weight, std::move(fit).value());
  ++done_;
  return {};
}

void Pruner::Remember(const WeightLayer& layer, const LayerFit& fit) {
  if (TaskOf(layer).prune) {
    LayerReport report = ReportOf(layer);
    report.pattern = Name(options_.reconstruct.rule);
    report.saliency_kept = fit.saliency_kept;
    report.output_error = fit.output_error;
    report.bias_moved = !fit.bias_delta.empty();
    reports_.emplace(layer.weight, std::move(report));
  }
  if (fit.scales.empty()) return;
  const Tensor& whole = *simplified_.value(FindValue(simplified_, layer.initializer)).constant;
  std::vector<float>& scales = report_.rounded[layer.initializer].scales;
  scales.resize(static_cast<size_t>(whole.NumElements() / layer.layout.columns), 1);
  std::copy(fit.scales.begin(), fit.scales.end(), scales.begin() + layer.origin.row_begin);
  auto& [change, square] = squares_[layer.initializer];
  change += fit.rounding_square;
  square += fit.weight_square;
}

PruneReport Pruner::Take() {
  std::map<std::string, size_t> places;
  for (const WeightLayer& layer : layers_) {
    const auto fitted = reports_.find(layer.weight);
    const LayerReport part = fitted == reports_.end() ? ReportOf(layer) : fitted->second;
    const auto [place, fresh] = places.emplace(part.name, report_.layers.size());
    if (fresh) {
      report_.layers.push_back(part);
    } else {
      Join(part, &report_.layers[place->second]);
    }
  }
  for (auto& [name, rounded] : report_.rounded) {
    const auto& [change, square] = squares_.at(name);
    rounded.weight_error = square > 0 ? change / square : 0;
  }
  if (options_.progress) options_.progress(total_, total_, "");
  return std::move(report_);
}

Result<PruneReport> PruneFused(Graph& simplified, Graph& fused, std::span<const NamedTensors> batches,
                               const PruneOptions& options, std::shared_ptr<ThreadPool> pool) {
  Graph pruned = simplified.Clone();  // constants are replaced, never written to, so a clone keeps the original whole
  Graph pruned_fused = fused.Clone();
  Pruner pruner(pruned, pruned_fused, options, Pruner::Mode::kInOrder, std::move(pool));
  TAMIS_ASSIGN_OR_RETURN(PruneReport report, pruner.Run(batches));
  simplified = std::move(pruned);
  fused = std::move(pruned_fused);
  return report;
}

}  // namespace tamis
