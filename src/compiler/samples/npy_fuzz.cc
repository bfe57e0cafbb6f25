#include <cstddef>
#include <cstdint>

#include "src/compiler/samples/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensor = tamis::ParseNpy(data, size);
  // Every accepted file has all its elements: touch the last byte.
  if (tensor.ok() && tensor->NumBytes() > 0) {
    volatile auto last = tensor->raw()[tensor->NumBytes() - 1];
    static_cast<void>(last);
  }
  return 0;
}
