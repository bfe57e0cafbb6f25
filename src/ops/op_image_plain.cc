// BMP and the portable formats (PBM, PGM, PPM), which need no library.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "src/ops/op_image.h"

namespace tamis {
namespace {

uint32_t LittleEndian(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  return value;
}

}  // namespace

DecodedImage DecodeBmp(std::string_view bytes) {
  constexpr size_t kFileHeader = 14;
  constexpr size_t kInfoHeader = 40;
  const std::optional<RgbImage> damaged;
  if (bytes.size() < kFileHeader + kInfoHeader) return damaged;
  const size_t pixels = LittleEndian(bytes, 10, 4);
  const size_t header = LittleEndian(bytes, 14, 4);
  const auto width = static_cast<int32_t>(LittleEndian(bytes, 18, 4));
  const auto height = static_cast<int32_t>(LittleEndian(bytes, 22, 4));  // negative: rows from the top
  const uint32_t bits = LittleEndian(bytes, 28, 2);
  const uint32_t compression = LittleEndian(bytes, 30, 4);
  if (header < kInfoHeader || compression != 0 || (bits != 8 && bits != 24 && bits != 32)) {
    return UserError(
        "a BMP of {} bits a pixel and compression {}; uncompressed ones of 8, 24 and 32 bits are supported", bits,
        compression);
  }
  auto image = BlankImage(std::abs(static_cast<int64_t>(height)), width);
  if (!image) return damaged;
  const size_t row = (static_cast<size_t>(width) * bits / 8 + 3) / 4 * 4;
  if (pixels > bytes.size() || (bytes.size() - pixels) / row < static_cast<size_t>(image->height)) return damaged;
  const size_t palette = kFileHeader + header;  // blue, green, red, 0
  uint8_t* to = image->pixels.data();
  for (int64_t y = 0; y < image->height; ++y) {
    const size_t from = pixels + static_cast<size_t>(height < 0 ? y : image->height - 1 - y) * row;
    for (size_t x = 0; x < static_cast<size_t>(width); ++x, to += 3) {
      size_t at = from + x * bits / 8;
      if (bits == 8) at = palette + size_t{4} * static_cast<uint8_t>(bytes[at]);
      if (at + 3 > bytes.size()) return damaged;
      for (size_t c = 0; c < 3; ++c) to[c] = static_cast<uint8_t>(bytes[at + 2 - c]);
    }
  }
  return image;
}

namespace {

// The next number of a text, after blanks and comments; nullopt if there is none.
std::optional<int64_t> NextNumber(std::string_view* text, bool one_digit = false) {
  while (!text->empty()) {
    if (text->front() == '#') {
      text->remove_prefix(std::min(text->find('\n'), text->size()));
    } else if (std::isspace(static_cast<unsigned char>(text->front())) != 0) {
      text->remove_prefix(1);
    } else {
      break;
    }
  }
  int64_t number = 0;
  const size_t length = one_digit ? std::min<size_t>(text->size(), 1) : text->size();
  const auto [end, error] = std::from_chars(text->data(), text->data() + length, number);
  if (error != std::errc() || number < 0) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return number;
}

}  // namespace

DecodedImage DecodePnm(std::string_view bytes) {
  const std::optional<RgbImage> damaged;
  const char kind = bytes[1];
  const bool text = kind <= '3';
  const bool bitmap = kind == '1' || kind == '4';
  const int64_t channels = kind == '3' || kind == '6' ? 3 : 1;
  bytes.remove_prefix(2);
  const auto width = NextNumber(&bytes);
  const auto height = NextNumber(&bytes);
  const auto most = bitmap ? std::optional<int64_t>(1) : NextNumber(&bytes);
  if (!width || !height || !most || *most < 1 || *most > 65535 || bytes.empty()) return damaged;
  if (!text) bytes.remove_prefix(1);
  auto image = BlankImage(*height, *width);
  if (!image) return damaged;
  const size_t sample_bytes = *most > 255 ? 2 : 1;
  size_t at = 0;
  // 0 to 255; a bitmap's 1 is black.
  const auto scaled = [&](int64_t value) {
    if (bitmap) return static_cast<uint8_t>(value != 0 ? 0 : 255);
    return static_cast<uint8_t>(
        std::lround(static_cast<double>(std::min(value, *most)) * 255 / static_cast<double>(*most)));
  };
  uint8_t* to = image->pixels.data();
  for (int64_t y = 0; y < *height; ++y) {
    for (int64_t x = 0; x < *width; ++x, to += 3) {
      for (int64_t c = 0; c < channels; ++c) {
        int64_t value = 0;
        if (text) {
          const auto number = NextNumber(&bytes, bitmap);
          if (!number) return damaged;
          value = *number;
        } else if (bitmap) {
          const size_t byte = at + static_cast<size_t>(x / 8);
          if (byte >= bytes.size()) return damaged;
          value = static_cast<uint8_t>(bytes[byte]) >> (7 - x % 8) & 1;
        } else {
          if (at + sample_bytes > bytes.size()) return damaged;
          for (size_t i = 0; i < sample_bytes; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at++]);
        }
        to[c] = scaled(value);
      }
      if (channels == 1) to[1] = to[2] = to[0];
    }
    if (bitmap && !text) at += static_cast<size_t>((*width + 7) / 8);
  }
  return image;
}

}  // namespace tamis
