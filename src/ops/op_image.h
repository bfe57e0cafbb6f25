// Encoded images as pixels, for ImageDecoder. One decoder a format; what a library of ours does not give is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// Rows from the top, 8 bits each of red, green and blue.
struct RgbImage {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;
};
// nullopt: damaged, or larger than 64 megapixels. An error: sound perhaps, but of a kind that is not supported.
using DecodedImage = Result<std::optional<RgbImage>>;

enum class ImageFormat : uint8_t { kUnknown, kBmp, kJpeg, kJpeg2000, kPng, kPnm, kTiff, kWebp };
// By the first bytes.
ImageFormat ImageFormatOf(std::string_view bytes);

// Decodes a file of any of these formats; nullopt for another.
DecodedImage DecodeRgb(std::string_view bytes);

// An image to be filled; nullopt if it has no pixels or too many.
std::optional<RgbImage> BlankImage(int64_t height, int64_t width);

DecodedImage DecodeBmp(std::string_view bytes);
DecodedImage DecodePnm(std::string_view bytes);
DecodedImage DecodeJpeg(std::string_view bytes);
DecodedImage DecodePng(std::string_view bytes);
DecodedImage DecodeWebp(std::string_view bytes);
DecodedImage DecodeTiff(std::string_view bytes);
DecodedImage DecodeJpeg2000(std::string_view bytes);

}  // namespace tamis
