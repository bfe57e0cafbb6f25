#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/compiler/samples/data_source_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const int64_t channels : {1, 3}) {
    const auto image = tamis::DecodeImage(bytes, channels);
    if (image.ok() && image->height * image->width < 1 << 16) tamis::CoverAndCrop(*image, 24, 24);
  }
  return 0;
}
