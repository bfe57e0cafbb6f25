#include "src/compiler/optimize/optimize_table.h"
#include "src/compiler/plan/layer_weight.h"

#include <algorithm>
#include <tuple>

#include "src/compiler/optimize/optimize_solver.h"
#include "src/compiler/optimize/optimize_trials.h"
#include "src/compiler/optimize/predict.h"
#include "src/kernels/problem.h"

namespace tamis {
namespace {

constexpr LayerPattern kSparse[] = {LayerPattern::kTwoFour, LayerPattern::kPaired};

// Fused with the products of one layer in bf16 and all else in f32. `full` is the same network fused in f32, perhaps
// with other weights.
Result<Graph> FuseLow(const Graph& network, const Graph& full, const std::string& layer) {
  std::set<std::string> nodes;
  for (const NodeId id : full.NodeIds()) {
    const ValueId weight = LayerWeight(full, full.node(id));
    if (weight != kNoValue && WeightName(full, weight) == layer) nodes.insert(NameInPlan(full, full.node(id)));
  }
  PassOptions passes;
  passes.precision = DType::kBFloat16;
  passes.low_nodes = &nodes;
  return Fuse(network, passes);
}

}  // namespace

bool LayerRow::May(LayerType type) const {
  return std::any_of(settings.begin(), settings.end(), [&](const LayerSetting& s) { return s.type == type; });
}

bool LayerRow::May(LayerPattern pattern) const {
  return std::any_of(settings.begin(), settings.end(), [&](const LayerSetting& s) { return s.pattern == pattern; });
}

LayerSetting UniformSetting(const LayerRow& row, const LayerSetting& uniform) {
  LayerSetting setting;
  if (row.CanBe(uniform.type)) setting.type = uniform.type;
  if (row.may_be_sparse) setting.pattern = uniform.pattern;
  return setting;
}

void FindUseful(std::span<UniformTime> uniform) {
  double fastest = 1;
  const auto look = [&](UniformTime& time) {
    if (time.relative <= 0) return;
    time.useful = time.setting.IsAsItWas() || time.relative < fastest;
    if (time.useful) fastest = std::min(fastest, time.relative);
  };
  for (UniformTime& time : uniform) {
    if (!time.setting.IsSparse()) look(time);
  }
  for (UniformTime& time : uniform) {
    if (time.setting.IsSparse()) look(time);
  }
}

std::vector<LayerSetting> UsefulSettings(const LayerRow& row, std::span<const LayerSetting> uniform) {
  std::vector<LayerSetting> settings = {LayerSetting{}};
  double fastest = row.TimesAs(LayerType::kFull).share[0];
  const auto add = [&](const LayerSetting& setting) {
    const double share = row.TimesAs(setting.type).share[static_cast<size_t>(setting.pattern)];
    if (share <= 0 || share >= LayerTime::kClearGain * fastest) return;
    settings.push_back(setting);
    fastest = share;
  };
  for (const LayerType type : {LayerType::kBFloat16, LayerType::kInt8}) add({LayerPattern::kDense, type});
  for (const LayerType type : kLayerTypes) {
    for (const LayerPattern pattern : kSparse) {
      if (row.may_be_sparse && row.CanBe(type)) add({pattern, type});
    }
  }
  for (const LayerSetting& of : uniform) {
    const LayerSetting setting = UniformSetting(row, of);
    if (std::find(settings.begin(), settings.end(), setting) == settings.end()) settings.push_back(setting);
  }
  return settings;
}

Result<LayerTable> LayerTable::Make(Candidates* candidates, NetworkTimer* timer, const Judge& judge,
                                    const TableOptions& options) {
  LayerTable table;
  std::map<std::string, LayerTimes> times[3];
  const auto of = [&](LayerType type) -> auto& {
    return times[static_cast<size_t>(type)];
  };
  TAMIS_ASSIGN_OR_RETURN(of(LayerType::kFull), timer->TimeLayers(timer->dense()));
  if (timer->AsksForBFloat16()) {
    TAMIS_ASSIGN_OR_RETURN(const TimedNetwork low, timer->InBFloat16(candidates->network()));
    TAMIS_ASSIGN_OR_RETURN(of(LayerType::kBFloat16), timer->TimeLayers(low));
  }
  Assignment all_int8;
  for (const CandidateLayer& layer : candidates->layers()) {
    if (options.int8 && layer.int8_reason.empty()) all_int8[layer.name] = {LayerPattern::kDense, LayerType::kInt8};
  }
  if (!all_int8.empty()) {
    TAMIS_ASSIGN_OR_RETURN(const Graph draft, candidates->Draft(all_int8, false));
    TAMIS_ASSIGN_OR_RETURN(const TimedNetwork timed, timer->Time(draft));
    TAMIS_ASSIGN_OR_RETURN(auto int8_times, timer->TimeLayers(timed));
    std::erase_if(int8_times, [&](const auto& layer) { return all_int8.count(layer.first) == 0; });
    of(LayerType::kInt8) = std::move(int8_times);
  }
  std::set<std::string> to_fit[3];
  for (const CandidateLayer& layer : candidates->layers()) {
    LayerRow row;
    row.name = layer.name;
    for (const LayerType type : kLayerTypes) {
      if (const auto found = of(type).find(layer.name); found != of(type).end()) {
        row.times[static_cast<size_t>(type)] = found->second;
        row.alone_share[static_cast<size_t>(type)] = found->second.share[0];
      }
    }
    row.may_be_sparse = layer.sparse_reason.empty();
    table.rows_.push_back(std::move(row));
  }
  TAMIS_RETURN_IF_ERROR(table.TimeUniform(candidates, timer, options));
  std::vector<LayerSetting> uniform;
  for (const UniformTime& time : table.uniform_) {
    if (time.useful) uniform.push_back(time.setting);
  }
  for (LayerRow& row : table.rows_) {
    row.settings = UsefulSettings(row, uniform);
    for (const LayerSetting& setting : row.settings) {
      if (setting.IsSparse()) to_fit[static_cast<size_t>(setting.pattern)].insert(row.name);
    }
  }
  for (const LayerPattern pattern : kSparse) {
    const auto& layers = to_fit[static_cast<size_t>(pattern)];
    if (!layers.empty()) TAMIS_RETURN_IF_ERROR(candidates->FitAlone(pattern, layers));
  }
  const uint64_t samples = options.cache == nullptr ? 0 : SensitivityCache::SamplesHash(judge.batches());
  const auto alone = [&](const std::string& name, const LayerSetting& setting) -> Result<OutputChange> {
    TAMIS_ASSIGN_OR_RETURN(const Graph draft, candidates->Draft({{name, setting}}));
    const std::string what = name + ": " + Name(setting);
    std::string key;
    if (options.cache != nullptr) {
      key = SensitivityCache::Key(options.network_hash, samples, what, draft);
      if (const auto known = options.cache->Find(key)) {
        ++table.cached_;
        return *known;
      }
    }
    const bool low = setting.type == LayerType::kBFloat16;
    TAMIS_ASSIGN_OR_RETURN(const Graph fused, low ? FuseLow(draft, timer->dense().fused, name) : Fuse(draft, {}));
    TAMIS_ASSIGN_OR_RETURN(const auto session,
                           QuickSession(fused, low ? DType::kBFloat16 : DType::kFloat32, options.threads));
    TAMIS_ASSIGN_OR_RETURN(const Quality quality, judge.Measure(*session));
    const OutputChange change = {std::max(0.0, 1 - quality.agreement), quality.divergence};
    ++table.measured_;
    if (options.cache != nullptr) options.cache->Add(key, change, options.network, what);
    return change;
  };
  int done = 0;
  for (LayerRow& row : table.rows_) {
    if (options.progress) options.progress(done++, static_cast<int>(table.rows_.size()), row.name);
    if (options.cancelled && options.cancelled()) return RuntimeError("optimizing was interrupted");
    for (const LayerType type : {LayerType::kBFloat16, LayerType::kInt8}) {
      if (!row.May(type)) continue;
      TAMIS_ASSIGN_OR_RETURN(const OutputChange change, alone(row.name, {LayerPattern::kDense, type}));
      row.type_error[static_cast<size_t>(type)] = change.cosine_loss;
      row.type_divergence[static_cast<size_t>(type)] = change.divergence;
    }
    for (const LayerPattern pattern : kSparse) {
      if (!row.May(pattern)) continue;
      TAMIS_ASSIGN_OR_RETURN(const OutputChange change, alone(row.name, {pattern, LayerType::kFull}));
      row.pattern_error[static_cast<size_t>(pattern)] = change.cosine_loss;
      row.pattern_divergence[static_cast<size_t>(pattern)] = change.divergence;
    }
    // Who interrupts the work keeps what was measured. A file that can't be written is told of once, by the caller.
    if (options.cache != nullptr) std::ignore = options.cache->Save();
  }
  return table;
}

Status LayerTable::TimeUniform(Candidates* candidates, NetworkTimer* timer, const TableOptions& options) {
  constexpr double kSeconds = 0.4;  // of runs, for each network
  for (const LayerPattern pattern : kPatterns) {
    for (const LayerType type : kLayerTypes) {
      UniformTime time = {.setting = {pattern, type}};
      const Assignment assignment = Uniform(time.setting);
      if (assignment.empty() && !time.setting.IsAsItWas()) continue;
      const bool typed =
          type == LayerType::kFull || std::any_of(assignment.begin(), assignment.end(),
                                                  [&](const auto& layer) { return layer.second.type == type; });
      if (!typed) continue;  // as in f32
      if (options.cancelled && options.cancelled()) return RuntimeError("optimizing was interrupted");
      if (options.progress) options.progress(static_cast<int>(uniform_.size()), 9, "all " + Name(time.setting));
      TAMIS_ASSIGN_OR_RETURN(const Graph outline, candidates->Outline(assignment));
      TAMIS_ASSIGN_OR_RETURN(const TimedNetwork timed, timer->Time(outline, LowLayers(assignment)));
      TAMIS_ASSIGN_OR_RETURN(const WholeRun whole, timer->RunBesideDense(timed, kSeconds));
      time.relative = whole.relative;
      uniform_.push_back(time);
      for (LayerRow& row : rows_) {
        const LayerSetting setting = UniformSetting(row, time.setting);
        const auto inside = whole.layers.find(row.name);
        if (setting != time.setting || inside == whole.layers.end()) continue;
        LayerTimes& times = row.times[static_cast<size_t>(type)];
        times.share[static_cast<size_t>(pattern)] = inside->second.share;
        times.seconds[static_cast<size_t>(pattern)] = inside->second.seconds;
      }
    }
  }
  FindUseful(uniform_);
  return {};
}

const LayerRow* LayerTable::Find(const std::string& name) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const LayerRow& row) { return row.name == name; });
  return found == rows_.end() ? nullptr : &*found;
}

double LayerTable::Error(const Assignment& assignment) const {
  double error = 0;
  for (const LayerRow& row : rows_) error += row.Error(SettingOf(assignment, row.name));
  return error;
}

double LayerTable::MostError() const {
  double all = 0;
  for (const LayerRow& row : rows_) {
    double most = 0;
    for (const LayerSetting& setting : row.settings) most = std::max(most, row.Error(setting));
    all += most;
  }
  return Error(Solve(all));
}

Assignment LayerTable::Uniform(const LayerSetting& uniform) const {
  Assignment assignment;
  for (const LayerRow& row : rows_) {
    const LayerSetting setting = UniformSetting(row, uniform);
    if (!setting.IsAsItWas()) assignment[row.name] = setting;
  }
  return assignment;
}

Assignment LayerTable::Solve(double allowed) const {
  std::vector<std::vector<LayerOption>> layers;
  for (const LayerRow& row : rows_) {
    auto& options = layers.emplace_back();
    for (const LayerSetting& setting : row.settings) options.push_back({row.Share(setting), row.Error(setting)});
  }
  const std::vector<size_t> chosen = SolveChoice(layers, allowed);
  Assignment assignment;
  for (size_t l = 0; l < chosen.size(); ++l) {
    const LayerSetting& setting = rows_[l].settings[chosen[l]];
    if (!setting.IsAsItWas()) assignment[rows_[l].name] = setting;
  }
  return assignment;
}

Status LayerTable::TimeConversions(Candidates* candidates, NetworkTimer* timer) {
  const Assignment all = Uniform({LayerPattern::kDense, LayerType::kInt8});
  TAMIS_ASSIGN_OR_RETURN(const Graph whole, candidates->Draft(all, false));
  TAMIS_ASSIGN_OR_RETURN(const TimedNetwork base, timer->Time(whole));
  const double base_relative = timer->Relative(base);
  for (LayerRow& row : rows_) {
    if (all.count(row.name) == 0) continue;
    Assignment without = all;
    without.erase(row.name);
    TAMIS_ASSIGN_OR_RETURN(const Graph draft, candidates->Draft(without, false));
    TAMIS_ASSIGN_OR_RETURN(const TimedNetwork timed, timer->Time(draft));
    const double profiles = static_cast<double>(std::max<size_t>(timer->profiles().size(), 1));
    // What the layer's own times do not explain.
    row.float_extra =
        (timer->Relative(timed) - base_relative) * profiles - (row.alone_share[static_cast<size_t>(LayerType::kFull)] -
                                                               row.alone_share[static_cast<size_t>(LayerType::kInt8)]);
  }
  return {};
}

}  // namespace tamis
