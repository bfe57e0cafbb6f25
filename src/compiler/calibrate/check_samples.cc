#include "src/compiler/calibrate/check_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

#include "src/base/tensor_store.h"
#include "src/compiler/calibrate/scaling_trial.h"
#include "src/compiler/plan/untuned_session.h"
#include "src/compiler/samples/distinct_samples.h"

namespace tamis {
namespace {

int64_t SamplesIn(const NamedTensors& batch) {
  return batch.empty() || batch.begin()->second.rank() == 0 ? 0 : batch.begin()->second.dim(0);
}

int64_t SamplesIn(std::span<const NamedTensors> batches) {
  int64_t samples = 0;
  for (const NamedTensors& batch : batches) samples += SamplesIn(batch);
  return samples;
}

// "3, 17, 21, ... (12 in all)"
std::string List(const std::vector<int64_t>& samples) {
  constexpr size_t kShown = 5;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, samples.size()); ++i)
    text += fmt::format("{}{}", i > 0 ? ", " : "", samples[i]);
  return samples.size() > kShown ? fmt::format("{}, ... ({} in all)", text, samples.size()) : text;
}

// One input over all batches.
struct InputScan {
  bool seen = false, is_float = false, any_nonzero = false;
  std::vector<int64_t> broken, zero;  // samples
};

InputScan Scan(std::span<const NamedTensors> batches, const std::string& name) {
  InputScan scan;
  int64_t first = 0;
  for (const NamedTensors& batch : batches) {
    const auto found = batch.find(name);
    if (found == batch.end() || found->second.rank() == 0) continue;
    scan.seen = true;
    const Tensor& tensor = found->second;
    const int64_t samples = tensor.dim(0), size = samples > 0 ? tensor.NumElements() / samples : 0;
    scan.is_float = IsFloat(tensor.dtype());
    const Tensor floats = scan.is_float ? tensor.ToFloat32() : Tensor();
    const size_t bytes = samples > 0 ? tensor.NumBytes() / static_cast<size_t>(samples) : 0;
    for (int64_t s = 0; s < samples && tensor.dtype() != DType::kString; ++s) {
      bool finite = true, zero = true;
      if (scan.is_float) {
        const std::span<const float> row(floats.Data<float>() + s * size, static_cast<size_t>(size));
        finite = std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); });
        zero = std::all_of(row.begin(), row.end(), [](float x) { return x == 0; });
      } else {
        const std::byte* row = tensor.raw() + static_cast<size_t>(s) * bytes;
        zero = std::all_of(row, row + bytes, [](std::byte b) { return b == std::byte{0}; });
      }
      if (!finite) scan.broken.push_back(first + s);
      if (zero) scan.zero.push_back(first + s);
      if (!zero) scan.any_nonzero = true;
    }
    if (tensor.dtype() == DType::kString) scan.any_nonzero = true;
    TensorStore::Rest(tensor);
    first += samples;
  }
  return scan;
}

// Samples that are equal to an earlier one in every input.
int64_t CountRepeats(std::span<const NamedTensors> batches) {
  DistinctSamples distinct;
  for (const NamedTensors& batch : batches) {
    distinct.Add(batch, SamplesIn(batch));
    TensorStore::Rest(batch);
  }
  return SamplesIn(batches) - distinct.count();
}

void AddCounts(const Graph& graph, std::span<const NamedTensors> batches, std::vector<std::string>* notices) {
  constexpr int64_t kFew = 16;
  const int64_t samples = SamplesIn(batches);
  if (samples == 1) {
    notices->push_back(
        "there is one sample: everything is fitted to it, and nothing can be said about any other; some hundreds are "
        "usual");
  } else if (samples > 1 && samples < kFew) {
    notices->push_back(
        fmt::format("{} samples are very few to fit to and to know ranges from; some hundreds are usual", samples));
  }
  if (const int64_t repeats = CountRepeats(batches); repeats > 0 && repeats * 10 >= samples) {
    notices->push_back(
        fmt::format("{} of {} samples repeat others, so there are {} in effect", repeats, samples, samples - repeats));
  }
  for (const ValueId input : graph.inputs) {
    const InputScan scan = Scan(batches, graph.value(input).name);
    if (!scan.is_float || scan.zero.empty()) continue;
    notices->push_back(fmt::format("input '{}' is all zero in samples {}", graph.value(input).name, List(scan.zero)));
  }
}

}  // namespace

Status CheckInputs(const Graph& graph, std::span<const NamedTensors> batches) {
  if (SamplesIn(batches) == 0) return {};
  std::string problems;
  bool integers = false, integers_nonzero = false, floats = false;
  for (const ValueId input : graph.inputs) {
    const std::string& name = graph.value(input).name;
    const InputScan scan = Scan(batches, name);
    if (!scan.seen) continue;  // whoever runs the network says so
    if (!scan.broken.empty()) {
      problems += fmt::format("\n  input '{}' holds NaN or infinity in samples {}", name, List(scan.broken));
    }
    if (scan.is_float) {
      floats = true;
      if (!scan.any_nonzero) {
        problems += fmt::format("\n  every sample's '{}' is all zero: nothing flows through the network", name);
      }
    } else {
      integers = true;
      integers_nonzero = integers_nonzero || scan.any_nonzero;
    }
  }
  if (integers && !integers_nonzero && !floats) problems += "\n  every sample is all zero in every input";
  if (problems.empty()) return {};
  return UserError("the samples can't be used:{}\n  Give samples as the network will see them in use", problems);
}

Result<std::vector<std::string>> CheckSamples(const Graph& simplified, std::span<const NamedTensors> batches,
                                              const SampleCheckOptions& options) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(simplified, batches));
  std::vector<std::string> notices;
  if (SamplesIn(batches) == 0) return notices;
  AddCounts(simplified, batches, &notices);
  Network network;
  network.graph = simplified.Clone();
  TAMIS_ASSIGN_OR_RETURN(const auto session, UntunedSession(network, options.threads));
  TAMIS_ASSIGN_OR_RETURN(const std::string scaling, TryScalings(*session, batches, options.cancelled));
  if (!scaling.empty()) notices.push_back(scaling);
  return notices;
}

}  // namespace tamis
