#include "src/compiler/calibrate/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "src/base/tensor_store.h"

namespace tamis {
namespace {

int64_t SamplesIn(std::span<const NamedTensors> batches) {
  int64_t samples = 0;
  for (const NamedTensors& batch : batches) {
    if (!batch.empty() && batch.begin()->second.rank() > 0) samples += batch.begin()->second.dim(0);
  }
  return samples;
}

std::vector<ValueId> ProductInputs(const Graph& graph) {
  std::vector<ValueId> values;
  std::set<ValueId> seen;
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (!node.Is("Conv") && !node.Is("Gemm") && !node.Is("MatMul")) continue;
    if (graph.ConstantInput(node, 1) == nullptr) continue;
    const Value& x = graph.value(node.input(0));
    if (x.IsConstant() || x.type.dtype != DType::kFloat32 || !seen.insert(node.input(0)).second) continue;
    values.push_back(node.input(0));
  }
  return values;
}

}  // namespace

double RangeGrowth(const TensorStatistics& statistics) {
  const double span = static_cast<double>(statistics.histogram.max()) - static_cast<double>(statistics.histogram.min());
  const double half = static_cast<double>(statistics.half_max) - static_cast<double>(statistics.half_min);
  return span > 0 ? (span - half) / span : 0;
}

CoverageVerdict JudgeCoverage(std::span<const NamedGrowth> ranges, int64_t samples, size_t batches) {
  const auto all = static_cast<int64_t>(ranges.size());
  const int64_t moving = std::count_if(ranges.begin(), ranges.end(),
                                       [](const NamedGrowth& range) { return range.growth > kSettledGrowth; });
  CoverageVerdict verdict;
  verdict.settled = batches > 1 && moving * 10 <= all;
  if (batches < 2) {
    verdict.text =
        fmt::format("{} came in one batch: whether more would move the ranges can't be told; give some hundreds",
                    samples == 1 ? "1 sample" : fmt::format("{} samples", samples));
  } else if (verdict.settled) {
    verdict.text =
        fmt::format("the ranges have settled: the second half of {} samples widened {} of {} by more than {:.0f} %",
                    samples, moving, all, 100 * kSettledGrowth);
  } else {
    const auto widest = std::max_element(
        ranges.begin(), ranges.end(), [](const NamedGrowth& a, const NamedGrowth& b) { return a.growth < b.growth; });
    verdict.text = fmt::format(
        "more samples would still move the ranges: the second half of {} widened {} of {} by more than {:.0f} %, most "
        "'{}', by {:.0f} %",
        samples, moving, all, 100 * kSettledGrowth, widest->name, 100 * widest->growth);
  }
  return verdict;
}

Result<CoverageVerdict> MeasureCoverage(const Graph& simplified, std::span<const NamedTensors> batches,
                                        const CalibrateOptions& options) {
  constexpr size_t kMost = 24;
  const std::vector<ValueId> all = ProductInputs(simplified);
  const int64_t samples = SamplesIn(batches);
  if (all.empty() || samples == 0) return CoverageVerdict{true, ""};
  std::set<ValueId> values;
  for (size_t i = 0; i < std::min(kMost, all.size()); ++i)
    values.insert(all[i * all.size() / std::min(kMost, all.size())]);
  TAMIS_ASSIGN_OR_RETURN(const auto statistics, Calibrate(simplified, values, {}, batches, options));
  std::vector<NamedGrowth> ranges;
  for (const auto& [value, of_value] : statistics) {
    ranges.push_back({simplified.value(value).name, RangeGrowth(of_value)});
  }
  return JudgeCoverage(ranges, samples, batches.size());
}

ValueRecord ToRecord(const std::string& name, bool input, int64_t samples, const Histogram& histogram, double growth) {
  ValueRecord record;
  record.name = name;
  record.input = input;
  record.samples = samples;
  record.growth = growth;
  record.low = static_cast<double>(histogram.min());
  record.high = static_cast<double>(histogram.max());
  record.bins.assign(static_cast<size_t>(ValueRecord::kBins), 0);
  const double span = record.high - record.low;
  double sum = 0, square = 0;
  for (int64_t bin = 0; bin < Histogram::kBins; ++bin) {
    const auto count = histogram.bins()[static_cast<size_t>(bin)];
    if (count == 0) continue;
    const double center = std::clamp(histogram.Center(bin), record.low, record.high);
    const double part = span > 0 ? (center - record.low) / span * static_cast<double>(ValueRecord::kBins) : 0;
    const auto place = std::min(static_cast<int64_t>(part), ValueRecord::kBins - 1);
    record.bins[static_cast<size_t>(place)] += static_cast<uint64_t>(count);
    sum += center * static_cast<double>(count);
    square += center * center * static_cast<double>(count);
  }
  const double count = std::max<double>(1, static_cast<double>(histogram.count()));
  record.mean = sum / count;
  record.deviation = std::sqrt(std::max(0.0, square / count - record.mean * record.mean));
  return record;
}

std::vector<ValueRecord> RecordInputs(const Graph& graph, std::span<const NamedTensors> batches) {
  std::vector<ValueRecord> records;
  for (const ValueId input : graph.inputs) {
    const std::string& name = graph.value(input).name;
    TensorStatistics statistics;
    bool seen = false;
    for (size_t b = 0; b < batches.size(); ++b) {
      const auto found = batches[b].find(name);
      if (found == batches[b].end() || !IsFloat(found->second.dtype())) continue;
      seen = true;
      const Tensor floats = found->second.ToFloat32();
      statistics.histogram.Add(floats.Span<float>());
      TensorStore::Rest(found->second);
      if (b + 1 == (batches.size() + 1) / 2) {
        statistics.half_min = statistics.histogram.min();
        statistics.half_max = statistics.histogram.max();
      }
    }
    if (!seen) continue;
    records.push_back(ToRecord(name, true, SamplesIn(batches), statistics.histogram, RangeGrowth(statistics)));
  }
  return records;
}

std::vector<std::string> CompareInputs(std::span<const ValueRecord> records, std::span<const NamedTensors> batches) {
  constexpr double kOutside = 0.01, kDivergence = 0.1;
  std::vector<std::string> notices;
  for (const ValueRecord& record : records) {
    if (!record.input) continue;
    ValueWatch watch(record);
    for (const NamedTensors& batch : batches) {
      const auto found = batch.find(record.name);
      if (found == batch.end() || !IsFloat(found->second.dtype())) continue;
      const Tensor floats = found->second.ToFloat32();
      watch.Add(floats.Span<float>());
    }
    if (watch.count() == 0 || (watch.Outside() <= kOutside && watch.Divergence() <= kDivergence)) continue;
    notices.push_back(fmt::format(
        "input '{}' is not what the engine was calibrated with: {:.1f} % of its values are outside [{:.4g}, {:.4g}], "
        "and the distributions are {:.2f} bits apart (0: equal, 1: nothing in common)",
        record.name, 100 * watch.Outside(), record.low, record.high, watch.Divergence()));
  }
  return notices;
}

}  // namespace tamis
