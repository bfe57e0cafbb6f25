// The fixed part of an engine file: what comes before the metadata, and the limits on what a file may claim.
//
//   [header][metadata (FlatBuffers, engine.fbs)][padding][weights, each 64-byte aligned][64 spare bytes]
//
// Integers are little-endian. kFormatVersion is the major version: a reader refuses a file of another one. Additions
// that an older reader may skip go into engine.fbs and leave it as it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tamis {

constexpr uint32_t kFormatVersion = 1;
// The zero ends a text view, the line end shows a transfer in text mode.
constexpr std::array<char, 8> kMagic = {'T', 'A', 'M', 'I', 'S', '\0', '\r', '\n'};
constexpr uint64_t kWeightAlignment = 64;
// Readable bytes behind every weight: a kernel may load, never store, one vector past the end.
constexpr uint64_t kWeightSlack = 64;
// Constants up to this size live in the metadata.
constexpr size_t kInlineBytes = 1024;

struct FileHeader {
  std::array<char, 8> magic = kMagic;
  uint32_t format_version = kFormatVersion;
  uint32_t header_bytes = 0;
  uint64_t metadata_offset = 0;
  uint64_t metadata_bytes = 0;
  uint64_t metadata_checksum = 0;
  uint64_t weights_offset = 0;
  uint64_t weights_bytes = 0;
  uint64_t weight_count = 0;
  uint64_t file_bytes = 0;
  uint64_t header_checksum = 0;  // XXH3-64 of the bytes before it
};
static_assert(sizeof(FileHeader) == 80 && offsetof(FileHeader, header_checksum) == 72);

// Limits of a reader. FlatBuffers addresses metadata with 31 bits.
constexpr uint64_t kMaxMetadataBytes = (uint64_t{1} << 31) - 1;
constexpr uint64_t kMaxElements = uint64_t{1} << 48;
constexpr size_t kMaxRank = 64;
constexpr size_t kMaxVariants = 64;
constexpr int kMaxRegionDepth = 16;
constexpr int kMaxDimDepth = 16;
constexpr int kMaxDimFactors = 512;  // of one dimension, nested ones counted

constexpr uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

}  // namespace tamis
