#include "src/compiler/samples/distinct_samples.h"

#include <algorithm>

#include "src/base/hash.h"

namespace tamis {

void DistinctSamples::Add(const NamedTensors& batch, int64_t samples, int64_t first) {
  const bool comparable = std::all_of(batch.begin(), batch.end(), [&](const auto& input) {
    const Tensor& tensor = input.second;
    return tensor.dtype() != DType::kString && tensor.rank() > 0 && tensor.dim(0) == samples;
  });
  for (int64_t s = first; s < samples; ++s) {
    uint64_t hash = 0;
    for (const auto& [name, tensor] : batch) {
      if (!comparable) break;
      const size_t bytes = tensor.NumBytes() / static_cast<size_t>(samples);
      hash = Hash64(tensor.raw() + static_cast<size_t>(s) * bytes, bytes, hash);
    }
    count_ += !comparable || seen_.insert(hash).second ? 1 : 0;
  }
}

}  // namespace tamis
