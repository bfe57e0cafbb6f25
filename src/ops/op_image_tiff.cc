// TIFF as cameras, scanners and image libraries write it by default: the first image of the file, in strips of 8-bit
// samples. Rarer kinds are refused; a library for them would bring many more with it.
#include <zlib.h>

#include <algorithm>
#include <map>

#include "src/ops/op_image.h"

namespace tamis {
namespace {

enum Tag : uint32_t {
  kWidth = 256,
  kHeight = 257,
  kBits = 258,
  kCompression = 259,
  kPhotometric = 262,
  kStripOffsets = 273,
  kSamples = 277,
  kRowsPerStrip = 278,
  kStripBytes = 279,
  kPlanar = 284,
  kPredictor = 317,
  kTileWidth = 322,
};
enum Compression : uint32_t { kNone = 1, kDeflate = 8, kOldDeflate = 32946, kPackBits = 32773 };

class File {
 public:
  explicit File(std::string_view bytes) : bytes_(bytes), little_(bytes[0] == 'I') {}

  // nullopt past the end.
  std::optional<uint32_t> Number(uint64_t at, uint64_t size) const {
    if (at + size > bytes_.size()) return std::nullopt;
    uint32_t value = 0;
    for (uint64_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<uint8_t>(bytes_[at + (little_ ? size - 1 - i : i)]);
    }
    return value;
  }

  // The tags of the first image; false if the file is damaged.
  bool ReadTags() {
    const auto directory = Number(4, 4);
    const auto count = directory ? Number(*directory, 2) : std::nullopt;
    if (!count) return false;
    uint64_t total = 0;  // of values; more than the file has bytes can only be read from overlapping places
    for (uint32_t i = 0; i < *count; ++i) {
      const uint64_t entry = uint64_t{*directory} + 2 + 12 * uint64_t{i};
      const auto tag = Number(entry, 2), type = Number(entry + 2, 2), values = Number(entry + 4, 4);
      if (!tag || !type || !values) return false;
      const uint64_t size = *type == 3 ? 2 : *type == 4 ? 4 : *type == 1 ? 1 : 0;
      if (size == 0 || *values > bytes_.size()) continue;  // text and fractions, of which none matters
      total += *values;
      if (total > bytes_.size()) return false;
      uint64_t at = entry + 8;
      if (size * *values > 4) at = Number(entry + 8, 4).value_or(UINT32_MAX);
      for (uint32_t v = 0; v < *values; ++v) {
        const auto value = Number(at + v * size, size);
        if (!value) return false;
        tags_[*tag].push_back(*value);
      }
    }
    return true;
  }

  uint32_t Tag(uint32_t tag, uint32_t fallback) const {
    const auto found = tags_.find(tag);
    return found == tags_.end() || found->second.empty() ? fallback : found->second[0];
  }
  const std::vector<uint32_t>& Tags(uint32_t tag) { return tags_[tag]; }
  std::string_view Bytes(uint64_t at, uint64_t size) const {
    return at > bytes_.size() ? std::string_view() : bytes_.substr(at, size);
  }

 private:
  std::string_view bytes_;
  bool little_;
  std::map<uint32_t, std::vector<uint32_t>> tags_;
};

bool UnpackBits(std::string_view from, std::vector<uint8_t>* to) {
  size_t done = 0;
  for (size_t at = 0; at < from.size() && done < to->size();) {
    const auto control = static_cast<int8_t>(from[at++]);
    if (control == -128) continue;
    const auto count = static_cast<size_t>(control < 0 ? 1 - control : control + 1);
    if (done + count > to->size() || at + (control < 0 ? 1 : count) > from.size()) return false;
    for (size_t i = 0; i < count; ++i) (*to)[done++] = static_cast<uint8_t>(from[control < 0 ? at : at + i]);
    at += control < 0 ? 1 : count;
  }
  return done == to->size();
}

// The samples of a strip, as many as `to` has; false if it is damaged.
bool ReadStrip(std::string_view from, uint32_t compression, std::vector<uint8_t>* to) {
  if (compression == kPackBits) return UnpackBits(from, to);
  if (compression == kNone) {
    if (from.size() < to->size()) return false;
    std::copy_n(from.begin(), to->size(), to->begin());
    return true;
  }
  uLongf size = to->size();
  const auto* bytes = reinterpret_cast<const Bytef*>(from.data());
  return uncompress(to->data(), &size, bytes, from.size()) == Z_OK && size == to->size();
}

}  // namespace

DecodedImage DecodeTiff(std::string_view bytes) {
  const std::optional<RgbImage> damaged;
  File file(bytes);
  if (!file.ReadTags()) return damaged;
  const uint32_t compression = file.Tag(kCompression, kNone);
  if (compression != kNone && compression != kDeflate && compression != kOldDeflate && compression != kPackBits) {
    return UserError("a TIFF image of compression {}; none, PackBits and Deflate are supported", compression);
  }
  const uint32_t samples = file.Tag(kSamples, 1);
  const uint32_t photometric = file.Tag(kPhotometric, 1);
  const bool grey = photometric <= 1;
  const bool eight = file.Tag(kBits, 1) == 8 && samples <= 4;
  const bool simple = file.Tag(kPlanar, 1) == 1 && file.Tag(kPredictor, 1) == 1 && file.Tag(kTileWidth, 0) == 0;
  if (!eight || !simple || !(grey ? samples >= 1 : photometric == 2 && samples >= 3)) {
    return UserError("a TIFF image other than in strips of 8-bit grey or RGB samples is not supported");
  }
  auto image = BlankImage(file.Tag(kHeight, 0), file.Tag(kWidth, 0));
  if (!image) return damaged;
  const auto& offsets = file.Tags(kStripOffsets);
  const auto& sizes = file.Tags(kStripBytes);
  const auto rows_per_strip = std::min<int64_t>(file.Tag(kRowsPerStrip, UINT32_MAX), image->height);
  if (rows_per_strip <= 0 || offsets.size() != sizes.size()) return damaged;
  uint8_t* to = image->pixels.data();
  int64_t row = 0;
  for (size_t s = 0; row < image->height; ++s, row += rows_per_strip) {
    if (s >= offsets.size()) return damaged;
    const auto pixels = static_cast<size_t>(std::min(rows_per_strip, image->height - row) * image->width);
    std::vector<uint8_t> strip(pixels * samples);
    if (!ReadStrip(file.Bytes(offsets[s], sizes[s]), compression, &strip)) return damaged;
    for (size_t i = 0; i < pixels; ++i) {
      for (size_t c = 0; c < 3; ++c) {
        const uint8_t sample = strip[i * samples + (grey ? 0 : c)];
        *to++ = photometric == 0 ? static_cast<uint8_t>(255 - sample) : sample;
      }
    }
  }
  return image;
}

}  // namespace tamis
