// What every layer could be, with what it takes and what it costs alone: the table that the choice is made from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/compiler/optimize_candidates.h"
#include "src/compiler/optimize_judge.h"
#include "src/compiler/optimize_times.h"

namespace tamis {

// One layer. Errors are of the network's worst output with this layer alone changed: mean of 1 - cosine.
struct LayerRow {
  std::string name;
  LayerTimes as_float, as_int8;  // as_int8 all 0: it can't be
  double float_extra = 0;  // share of the dense run that keeping it float costs in conversions, where all else is int8
  double pattern_error[3] = {0, 0, 0};
  double int8_error = 0;

  bool CanBeInt8() const { return as_int8.share[0] > 0; }
  // Errors of both at once add up: neither knows of the other.
  double Error(const LayerSetting& setting) const {
    return pattern_error[static_cast<size_t>(setting.pattern)] + (setting.int8 ? int8_error : 0);
  }
  // Share of the dense run.
  double Share(const LayerSetting& setting) const {
    return setting.int8 ? as_int8.share[static_cast<size_t>(setting.pattern)]
                        : as_float.share[static_cast<size_t>(setting.pattern)] + float_extra;
  }
  // Dense float, and whatever is clearly faster than the more exact settings of this layer.
  std::vector<LayerSetting> settings;
};

struct TableOptions {
  bool int8 = true;
  int threads = 0;
  std::function<void(int done, int total, const std::string& what)> progress;
  std::function<bool()> cancelled;
};

class LayerTable {
 public:
  // Times every layer as everything, fits those patterns that are worth it, and measures what each setting costs alone
  // on `judge`.
  static Result<LayerTable> Make(Candidates* candidates, NetworkTimer* timer, const Judge& judge,
                                 const TableOptions& options);

  const std::vector<LayerRow>& rows() const { return rows_; }
  const LayerRow* Find(const std::string& name) const;
  double Error(const Assignment& assignment) const;  // the sum
  double MostError() const;                          // of the fastest settings
  // Every layer int8 or not, and in this pattern, where it can be and where that is faster.
  Assignment Uniform(LayerPattern pattern, bool int8) const;
  // The fastest whose errors add up to no more than `allowed`.
  Assignment Solve(double allowed) const;
  // Measures float_extra of every layer: the all-int8 network with this one float.
  Status TimeConversions(Candidates* candidates, NetworkTimer* timer);

 private:
  std::vector<LayerRow> rows_;
};

}  // namespace tamis
