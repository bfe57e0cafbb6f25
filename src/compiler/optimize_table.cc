#include "src/compiler/optimize_table.h"

#include <algorithm>

#include "src/compiler/optimize_solver.h"
#include "src/compiler/optimize_trials.h"
#include "src/compiler/predict.h"

namespace tamis {
namespace {

constexpr LayerPattern kSparse[] = {LayerPattern::kTwoFour, LayerPattern::kPaired};

// Which settings can pay. A sparse one has to be clearly faster than the dense one of its type, and a float one than
// int8 without a pattern, whose error is the smaller; paired, which costs more, than 2:4.
std::vector<LayerSetting> SettingsOf(const LayerRow& row, const CandidateLayer& layer) {
  std::vector<LayerSetting> settings = {LayerSetting{}};
  double fastest = row.as_float.share[0];
  const auto add = [&](LayerPattern pattern, bool int8) {
    const LayerTimes& times = int8 ? row.as_int8 : row.as_float;
    const double share = times.share[static_cast<size_t>(pattern)];
    if (share <= 0 || share >= LayerTime::kClearGain * fastest) return;
    settings.push_back({pattern, int8});
    fastest = share;
  };
  if (row.CanBeInt8()) add(LayerPattern::kDense, true);
  for (const bool int8 : {false, true}) {
    if (int8 && !row.CanBeInt8()) continue;
    for (const LayerPattern pattern : kSparse) {
      if (layer.sparse_reason.empty()) add(pattern, int8);
    }
  }
  return settings;
}

}  // namespace

Result<LayerTable> LayerTable::Make(Candidates* candidates, NetworkTimer* timer, const Judge& judge,
                                    const TableOptions& options) {
  LayerTable table;
  TAMIS_ASSIGN_OR_RETURN(const auto float_times, timer->TimeLayers(timer->dense()));
  Assignment all_int8;
  for (const CandidateLayer& layer : candidates->layers()) {
    if (options.int8 && layer.int8_reason.empty()) all_int8[layer.name] = {LayerPattern::kDense, true};
  }
  std::map<std::string, LayerTimes> int8_times;
  if (!all_int8.empty()) {
    TAMIS_ASSIGN_OR_RETURN(const Graph draft, candidates->Draft(all_int8, false));
    TAMIS_ASSIGN_OR_RETURN(const TimedNetwork timed, timer->Time(draft));
    TAMIS_ASSIGN_OR_RETURN(int8_times, timer->TimeLayers(timed));
  }
  std::set<std::string> to_fit[3];
  for (const CandidateLayer& layer : candidates->layers()) {
    LayerRow row;
    row.name = layer.name;
    if (const auto found = float_times.find(layer.name); found != float_times.end()) row.as_float = found->second;
    if (const auto found = int8_times.find(layer.name); found != int8_times.end() && all_int8.count(layer.name) != 0) {
      row.as_int8 = found->second;
    }
    row.settings = SettingsOf(row, layer);
    for (const LayerSetting& setting : row.settings) {
      if (setting.pattern != LayerPattern::kDense) to_fit[static_cast<size_t>(setting.pattern)].insert(layer.name);
    }
    table.rows_.push_back(std::move(row));
  }
  for (const LayerPattern pattern : kSparse) {
    const auto& layers = to_fit[static_cast<size_t>(pattern)];
    if (!layers.empty()) TAMIS_RETURN_IF_ERROR(candidates->FitAlone(pattern, layers));
  }
  const auto alone = [&](const std::string& name, const LayerSetting& setting) -> Result<double> {
    TAMIS_ASSIGN_OR_RETURN(const Graph draft, candidates->Draft({{name, setting}}));
    TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(draft, {}));
    TAMIS_ASSIGN_OR_RETURN(const auto session, QuickSession(fused, DType::kFloat32, options.threads));
    TAMIS_ASSIGN_OR_RETURN(const Quality quality, judge.Measure(*session));
    return std::max(0.0, 1 - quality.agreement);
  };
  int done = 0;
  for (LayerRow& row : table.rows_) {
    if (options.progress) options.progress(done++, static_cast<int>(table.rows_.size()), row.name);
    if (options.cancelled && options.cancelled()) return RuntimeError("optimizing was interrupted");
    const auto may = [&](const auto& wanted) { return std::any_of(row.settings.begin(), row.settings.end(), wanted); };
    if (may([](const LayerSetting& setting) { return setting.int8; })) {
      TAMIS_ASSIGN_OR_RETURN(row.int8_error, alone(row.name, {LayerPattern::kDense, true}));
    }
    for (const LayerPattern pattern : kSparse) {
      if (!may([&](const LayerSetting& setting) { return setting.pattern == pattern; })) continue;
      TAMIS_ASSIGN_OR_RETURN(row.pattern_error[static_cast<size_t>(pattern)], alone(row.name, {pattern, false}));
    }
  }
  return table;
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

Assignment LayerTable::Uniform(LayerPattern pattern, bool int8) const {
  Assignment assignment;
  for (const LayerRow& row : rows_) {
    LayerSetting setting;
    setting.int8 = int8 && row.CanBeInt8();
    const LayerTimes& times = setting.int8 ? row.as_int8 : row.as_float;
    const bool fitted = std::any_of(row.settings.begin(), row.settings.end(),
                                    [&](const LayerSetting& known) { return known.pattern == pattern; });
    if (fitted && times.Gains(pattern)) setting.pattern = pattern;
    if (!setting.IsDenseFloat()) assignment[row.name] = setting;
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
    if (!setting.IsDenseFloat()) assignment[rows_[l].name] = setting;
  }
  return assignment;
}

Status LayerTable::TimeConversions(Candidates* candidates, NetworkTimer* timer) {
  const Assignment all = Uniform(LayerPattern::kDense, true);
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
        (timer->Relative(timed) - base_relative) * profiles - (row.as_float.share[0] - row.as_int8.share[0]);
  }
  return {};
}

}  // namespace tamis
