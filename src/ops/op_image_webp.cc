#include "src/ops/op_image.h"

#ifdef TAMIS_HAVE_WEBP
#include <webp/decode.h>

namespace tamis {

DecodedImage DecodeWebp(std::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  int width = 0;
  int height = 0;
  if (WebPGetInfo(data, bytes.size(), &width, &height) == 0) return std::optional<RgbImage>();
  auto image = BlankImage(height, width);
  if (!image) return image;
  if (WebPDecodeRGBInto(data, bytes.size(), image->pixels.data(), image->pixels.size(), width * 3) == nullptr) {
    return std::optional<RgbImage>();
  }
  return image;
}

}  // namespace tamis
#else
namespace tamis {

DecodedImage DecodeWebp(std::string_view) {
  return UserError("a WebP image; Tamis was built without libwebp");
}

}  // namespace tamis
#endif
