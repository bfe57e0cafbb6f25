#include "src/compiler/optimize/optimize_mixtures.h"

#include <algorithm>

#include "src/base/tensor_store.h"

namespace tamis {
namespace {

bool CanMix(const NamedTensors& batch) {
  return !batch.empty() && std::all_of(batch.begin(), batch.end(), [](const auto& input) {
    return input.second.dtype() == DType::kFloat32 && input.second.rank() > 0 && input.second.dim(0) > 0;
  });
}

// Row i of `batch` with row i + shift of `other`, which has rows of the same size.
Tensor Mixed(const Tensor& batch, const Tensor& other, int64_t shift, float share) {
  Tensor mixed = batch.Clone();
  const int64_t rows = other.dim(0), size = batch.NumElements() / batch.dim(0);
  for (int64_t row = 0; row < batch.dim(0); ++row) {
    const float* from = other.Data<float>() + (row + shift) % rows * size;
    float* to = mixed.Data<float>() + row * size;
    for (int64_t i = 0; i < size; ++i) to[i] += share * (from[i] - to[i]);
  }
  return mixed;
}

}  // namespace

std::vector<NamedTensors> MixSamples(std::span<const NamedTensors> batches, float share) {
  std::vector<NamedTensors> mixed;
  for (size_t b = 0; b < batches.size(); ++b) {
    const NamedTensors& batch = batches[b];
    const NamedTensors& next = batches[(b + 1) % batches.size()];
    if (!CanMix(batch) || !CanMix(next)) return {};
    NamedTensors& result = mixed.emplace_back();
    for (const auto& [name, tensor] : batch) {
      const Tensor& other = next.at(name);
      Dims ours = tensor.dims(), theirs = other.dims();
      ours[0] = theirs[0] = 0;
      // Batches of other sizes, as of sequences, mix within themselves; so does the only one.
      const bool alike = ours == theirs && batches.size() > 1;
      result[name] = Mixed(tensor, alike ? other : tensor, alike ? 0 : 1, share);
    }
    TensorStore::Rest(batch);
    TensorStore::Rest(next);
  }
  return mixed;
}

}  // namespace tamis
