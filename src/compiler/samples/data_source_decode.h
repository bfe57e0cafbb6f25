// Images from JPEG, PNG and binary PPM/PGM files, as the network wants them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// 8-bit samples, [height][width][channels].
struct Image {
  int64_t height = 0, width = 0;
  int64_t channels = 0;  // 1 or 3
  std::vector<uint8_t> pixels;
};

// Whether a file of this name is taken as an image: .jpg, .jpeg, .png, .ppm, .pgm in any case.
bool IsImageName(std::string_view name);
// Decodes by content, to `channels` (1 or 3); colour becomes luma and grey is repeated. Error (kUser) for another
// format, damaged data, and images above 64 megapixels.
Result<Image> DecodeImage(std::string_view bytes, int64_t channels);

// Scales so that the image covers height x width, keeping proportions, and crops around the centre. Bilinear with the
// filter widened when shrinking; an image of the right size is left alone.
Image CoverAndCrop(const Image& image, int64_t height, int64_t width);

}  // namespace tamis
