// What every layer could be, with what it takes and what it costs alone: the table that the choice is made from.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize_candidates.h"
#include "src/compiler/optimize/optimize_judge.h"
#include "src/compiler/optimize/optimize_times.h"
#include "src/compiler/optimize/sensitivity_cache.h"

namespace tamis {

// One layer. Errors are of the network's worst output with this layer alone changed: mean of 1 - cosine, and mean
// Kullback-Leibler divergence of class scores.
struct LayerRow {
  std::string name;
  LayerTimes times[3];  // by type; all 0: it can't be that
  bool may_be_sparse = false;
  double alone_share[3] = {0, 0, 0};  // by type, dense, timed by itself: what sums of nodes are made of
  double float_extra = 0;  // share of the dense run that keeping it float costs in conversions, where all else is int8
  double pattern_error[3] = {0, 0, 0};  // by pattern, in f32
  double type_error[3] = {0, 0, 0};     // by type, dense
  double pattern_divergence[3] = {0, 0, 0}, type_divergence[3] = {0, 0, 0};

  const LayerTimes& TimesAs(LayerType type) const { return times[static_cast<size_t>(type)]; }
  double SecondsAs(const LayerSetting& setting) const {
    return TimesAs(setting.type).seconds[static_cast<size_t>(setting.pattern)];
  }
  bool CanBe(LayerType type) const { return TimesAs(type).share[0] > 0; }
  // Errors of both at once add up: neither knows of the other.
  double Error(const LayerSetting& setting) const {
    return pattern_error[static_cast<size_t>(setting.pattern)] + type_error[static_cast<size_t>(setting.type)];
  }
  // Share of the dense run.
  double Share(const LayerSetting& setting) const {
    return TimesAs(setting.type).share[static_cast<size_t>(setting.pattern)] + (setting.IsInt8() ? 0 : float_extra);
  }
  // As it was, whatever is clearly faster than the more exact settings of this layer, and what belongs to a uniform
  // network that is.
  std::vector<LayerSetting> settings;
  bool May(LayerType type) const;
  bool May(LayerPattern pattern) const;
};

// Which settings can pay, by these times alone. One that rounds has to be clearly faster than the more exact ones: bf16
// than f32, int8 than both; a sparse one than all dense ones whose error is the smaller; paired, which costs more, than
// 2:4. And those that this layer has in one of the `uniform` networks, for what no layer gains alone may be gained
// together: conversions between neighbours, weights that stay in a cache.
std::vector<LayerSetting> UsefulSettings(const LayerRow& row, std::span<const LayerSetting> uniform = {});

// What a layer is in the network that is uniformly so: in the pattern if it may be, of the type if it can.
LayerSetting UniformSetting(const LayerRow& row, const LayerSetting& uniform);

// A network in which every layer is the same where it can be, gain or not, in whole runs.
struct UniformTime {
  LayerSetting setting;
  double relative = 0;  // to the dense network's time; 0: not run
  bool useful = true;   // faster than those that are more exact, be it by little
};
// Sets `useful` of all, by the same order as UsefulSettings; what was not run counts as useful.
void FindUseful(std::span<UniformTime> uniform);

struct TableOptions {
  bool int8 = true;
  int threads = 0;
  std::function<void(int done, int total, const std::string& what)> progress;
  std::function<bool()> cancelled;
  SensitivityCache* cache = nullptr;  // of what layers cost; may be null
  std::string network, network_hash;  // for it
};

class LayerTable {
 public:
  // Times every layer as everything, by itself and inside the uniform networks, whose times in place count where there
  // are any; fits those patterns that are worth it, and measures what each setting costs alone on `judge`.
  static Result<LayerTable> Make(Candidates* candidates, NetworkTimer* timer, const Judge& judge,
                                 const TableOptions& options);

  const std::vector<LayerRow>& rows() const { return rows_; }
  // How many costs of single layers were measured, and how many the cache knew.
  int measured() const { return measured_; }
  int cached() const { return cached_; }
  const LayerRow* Find(const std::string& name) const;
  double Error(const Assignment& assignment) const;  // the sum
  double MostError() const;                          // of the fastest settings
  // Of each pattern and type that the machine and the network know, the dense one first.
  const std::vector<UniformTime>& uniform() const { return uniform_; }
  // Every layer of this type and in this pattern, where it can be, whether it gains by it or not.
  Assignment Uniform(const LayerSetting& setting) const;
  // The fastest whose errors add up to no more than `allowed`.
  Assignment Solve(double allowed) const;
  // Measures float_extra of every layer: the all-int8 network with this one float.
  Status TimeConversions(Candidates* candidates, NetworkTimer* timer);

 private:
  Status TimeUniform(Candidates* candidates, NetworkTimer* timer, const TableOptions& options);

  std::vector<LayerRow> rows_;
  std::vector<UniformTime> uniform_;
  int measured_ = 0, cached_ = 0;
};

}  // namespace tamis
