// 64-bit content hashes (XXH3) of bytes and tensors: keys of packed weights, caches and checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tamis/tensor.h"

namespace tamis {

uint64_t Hash64(const void* data, size_t bytes, uint64_t seed = 0);
inline uint64_t Hash64(std::string_view text, uint64_t seed = 0) {
  return Hash64(text.data(), text.size(), seed);
}
// Dtype, dimensions and elements.
uint64_t HashTensor(const Tensor& tensor);
std::string HexString(uint64_t value);

}  // namespace tamis
