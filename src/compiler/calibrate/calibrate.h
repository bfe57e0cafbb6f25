// What the values of a network are like over calibration samples.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/quantize/histogram.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct TensorStatistics {
  Histogram histogram;
  float half_min = 0, half_max = 0;  // after the first half of the batches
  // Of each channel: axis 1 of rank 3 and more with `spatial`, else the last axis.
  std::vector<double> means, mean_squares, largest;  // largest magnitude
};

struct CalibrateOptions {
  int threads = 0;
  std::function<void(int done, int total)> progress;
  std::function<bool()> cancelled;
};

// Runs the samples through `simplified` and collects the statistics of these values. Of those in `spatial` the channels
// lie along axis 1.
Result<std::map<ValueId, TensorStatistics>> Calibrate(const Graph& simplified, const std::set<ValueId>& values,
                                                      const std::set<ValueId>& spatial,
                                                      std::span<const NamedTensors> batches,
                                                      const CalibrateOptions& options);

}  // namespace tamis
