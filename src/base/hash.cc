#include "src/base/hash.h"

#include <fmt/core.h>
#include <xxhash.h>

namespace tamis {

uint64_t Hash64(const void* data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

uint64_t HashTensor(const Tensor& tensor) {
  const Dims& dims = tensor.dims();
  const uint64_t head = Hash64(dims.data(), dims.size() * sizeof(int64_t), static_cast<uint64_t>(tensor.dtype()));
  if (tensor.dtype() == DType::kString) {
    uint64_t hash = head;
    for (const std::string& element : tensor.Span<std::string>()) {
      const uint64_t size = element.size();
      hash = Hash64(element.data(), element.size(), Hash64(&size, sizeof(size), hash));
    }
    return hash;
  }
  return Hash64(tensor.raw(), tensor.NumBytes(), head);
}

std::string HexString(uint64_t value) {
  return fmt::format("{:016x}", value);
}

}  // namespace tamis
