// Whether samples cover the ranges of a network's values, and what is kept of them in the engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/calibrate/calibrate.h"
#include "src/engine/value_record.h"
#include "src/ir/graph.h"
#include "src/quantize/histogram.h"

namespace tamis {

// How much the second half of the samples widened a range of the first, as a share of the whole.
double RangeGrowth(const TensorStatistics& statistics);

inline constexpr double kSettledGrowth = 0.05;

struct CoverageVerdict {
  bool settled = false;  // more samples would hardly move the ranges
  std::string text;      // that in a sentence
};
// A range has settled if it grew by at most so much, the samples are enough if at most a tenth of the ranges has not.
struct NamedGrowth {
  std::string name;
  double growth = 0;
};
CoverageVerdict JudgeCoverage(std::span<const NamedGrowth> ranges, int64_t samples, size_t batches);

// The verdict on what the network's products read (Conv, Gemm and MatMul by constants; at most 24 of them, evenly
// spaced in depth). One run of the samples. Settled and without a word for networks with nothing of the kind in f32.
Result<CoverageVerdict> MeasureCoverage(const Graph& simplified, std::span<const NamedTensors> batches,
                                        const CalibrateOptions& options);

// A histogram as an engine keeps it.
ValueRecord ToRecord(const std::string& name, bool input, int64_t samples, const Histogram& histogram, double growth);
// Of every float input of the network.
std::vector<ValueRecord> RecordInputs(const Graph& graph, std::span<const NamedTensors> batches);

// A sentence for every input that has a record and whose values are of another distribution: more than 1 % outside the
// recorded range, or a divergence above 0.1 bits.
std::vector<std::string> CompareInputs(std::span<const ValueRecord> records, std::span<const NamedTensors> batches);

}  // namespace tamis
