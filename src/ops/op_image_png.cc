#include <png.h>

#include <cstring>

#include "src/ops/op_image.h"

namespace tamis {

DecodedImage DecodePng(std::string_view bytes) {
  png_image png;
  std::memset(&png, 0, sizeof(png));
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) return std::optional<RgbImage>();
  auto image = BlankImage(png.height, png.width);
  png.format = PNG_FORMAT_RGB;
  const png_color black = {0, 0, 0};  // under transparent pixels
  if (!image || png_image_finish_read(&png, &black, image->pixels.data(), 0, nullptr) == 0) {
    png_image_free(&png);
    return std::optional<RgbImage>();
  }
  return image;
}

}  // namespace tamis
