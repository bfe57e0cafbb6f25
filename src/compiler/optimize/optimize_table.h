// What every layer could be, with what it takes and what it costs alone: the table that the choice is made from.
#pragma once

#include <functional>
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
  LayerTimes times[3];     // by type; all 0: it can't be that
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
  // As it was, and whatever is clearly faster than the more exact settings of this layer.
  std::vector<LayerSetting> settings;
  bool May(LayerType type) const;
  bool May(LayerPattern pattern) const;
};

// Which settings can pay, by these times alone. One that rounds has to be clearly faster than the more exact ones: bf16
// than f32, int8 than both; a sparse one than all dense ones whose error is the smaller; paired, which costs more, than
// 2:4.
std::vector<LayerSetting> UsefulSettings(const LayerRow& row, bool may_be_sparse);

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
  // Times every layer as everything, fits those patterns that are worth it, and measures what each setting costs alone
  // on `judge`.
  static Result<LayerTable> Make(Candidates* candidates, NetworkTimer* timer, const Judge& judge,
                                 const TableOptions& options);

  const std::vector<LayerRow>& rows() const { return rows_; }
  // How many costs of single layers were measured, and how many the cache knew.
  int measured() const { return measured_; }
  int cached() const { return cached_; }
  const LayerRow* Find(const std::string& name) const;
  double Error(const Assignment& assignment) const;  // the sum
  double MostError() const;                          // of the fastest settings
  // Every layer of this type and in this pattern, where it can be and where that is faster (int8: where it can be).
  Assignment Uniform(LayerPattern pattern, LayerType type) const;
  // The fastest whose errors add up to no more than `allowed`.
  Assignment Solve(double allowed) const;
  // Measures float_extra of every layer: the all-int8 network with this one float.
  Status TimeConversions(Candidates* candidates, NetworkTimer* timer);

 private:
  std::vector<LayerRow> rows_;
  int measured_ = 0, cached_ = 0;
};

}  // namespace tamis
