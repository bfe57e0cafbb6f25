#include "src/ops/op_image.h"

namespace tamis {

ImageFormat ImageFormatOf(std::string_view bytes) {
  const auto starts = [bytes](std::string_view magic) { return bytes.starts_with(magic); };
  constexpr std::string_view kJp2("\0\0\0\x0cjP  \r\n\x87\n", 12);
  constexpr std::string_view kCodestream("\xff\x4f\xff\x51", 4);
  if (starts("\xff\xd8\xff")) return ImageFormat::kJpeg;
  if (starts("\x89PNG\r\n\x1a\n")) return ImageFormat::kPng;
  if (starts("BM")) return ImageFormat::kBmp;
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') return ImageFormat::kPnm;
  if (starts("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") return ImageFormat::kWebp;
  if (starts(std::string_view("II*\0", 4)) || starts(std::string_view("MM\0*", 4))) return ImageFormat::kTiff;
  if (starts(kJp2) || starts(kCodestream)) return ImageFormat::kJpeg2000;
  return ImageFormat::kUnknown;
}

DecodedImage DecodeRgb(std::string_view bytes) {
  switch (ImageFormatOf(bytes)) {
    case ImageFormat::kBmp:
      return DecodeBmp(bytes);
    case ImageFormat::kJpeg:
      return DecodeJpeg(bytes);
    case ImageFormat::kJpeg2000:
      return DecodeJpeg2000(bytes);
    case ImageFormat::kPng:
      return DecodePng(bytes);
    case ImageFormat::kPnm:
      return DecodePnm(bytes);
    case ImageFormat::kTiff:
      return DecodeTiff(bytes);
    case ImageFormat::kWebp:
      return DecodeWebp(bytes);
    case ImageFormat::kUnknown:
      break;
  }
  return std::optional<RgbImage>();
}

std::optional<RgbImage> BlankImage(int64_t height, int64_t width) {
  constexpr int64_t kMaxPixels = int64_t{64} << 20;
  if (height <= 0 || width <= 0 || width > kMaxPixels / height) return std::nullopt;
  return RgbImage{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
}

}  // namespace tamis
