// Fuzz target: the decoders of ImageDecoder, each told apart by its first bytes. Any bytes are an image of as many
// pixels as it says, or none.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/ops/op_image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const tamis::DecodedImage image = tamis::DecodeRgb(bytes);
  if (!image.ok()) {
    TAMIS_ASSERT(image.status().kind() != tamis::ErrorKind::kInternal);
    return 0;
  }
  if (!image->has_value()) return 0;
  TAMIS_ASSERT((*image)->height > 0 && (*image)->width > 0);
  TAMIS_ASSERT((*image)->pixels.size() == static_cast<size_t>((*image)->height * (*image)->width * 3));
  return 0;
}
