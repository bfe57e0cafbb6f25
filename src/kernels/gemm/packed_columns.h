// A 2:4 weight as the column routines read it: output by output, the kept ones of each group of four in turn.
//
// Outputs are cut into chunks of kChunk. Within a chunk, outputs are put in pairs wherever two of them keep elements of
// the same positions (the union of their masks is 2:4), in any order and however far apart; the others stay single. A
// unit is a pair or a single one; it has one code for each group, and W = 2 or 1 values for each kept element. Depth is
// cut into blocks of kBlock inputs, so that what a routine reads at once lies together. For a section (the pairs of a
// chunk, or its singles), block b, unit u and element i of the block's kept ones:
//   values  [b][u][i][W]   f32 or bf16
//   codes   [b][u][octet]  one byte for two groups; a group's code = position of its first kept one | of the second <<
//   2,
//                          the earlier group's in the low four bits
// Depth is filled up to whole octets with zeros. 56 % (f32) or 62.5 % (bf16) of the dense size, less for pairs.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "src/ir/graph.h"
#include "src/kernels/pack_cache.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

class PackedColumns : public PackedWeight {
 public:
  static constexpr int64_t kChunk = 1024;  // outputs
  static constexpr int64_t kBlock = 32;    // inputs

  // The units of one width in a chunk.
  struct Section {
    int64_t width = 1;             // outputs of a unit
    std::vector<int32_t> outputs;  // of unit u: [u * width, (u + 1) * width), counted from the chunk's first
    size_t first_value = 0, first_code = 0;

    int64_t units() const { return static_cast<int64_t>(outputs.size()) / width; }
  };
  struct Chunk {
    int64_t first = 0, outputs = 0;
    Section pairs, singles;
  };

  // `weight` is [outputs, depth], f32 or bf16, of any rank whose first axis is the outputs. A user error names the
  // first group that has more than two non-zeros. Shared through the cache.
  static Result<std::shared_ptr<const PackedColumns>> Get(PackCache& cache, uint64_t hash, const Tensor& weight);
  static Result<std::shared_ptr<const PackedColumns>> Make(const Tensor& weight);

  size_t Bytes() const override;
  DType dtype() const { return dtype_; }
  int64_t outputs() const { return outputs_; }
  int64_t depth() const { return depth_; }
  int64_t octets() const { return (depth_ + 7) / 8; }
  const std::vector<Chunk>& chunks() const { return chunks_; }
  int64_t paired_outputs() const;
  // The unit's part of block `block`; OctetsOf(block) * 4 * width values.
  const std::byte* values(const Section& section, int64_t block, int64_t unit) const {
    const int64_t before = section.units() * block * (kBlock / 2) + unit * OctetsOf(block) * 4;
    return values_->data() + section.first_value + before * section.width * (dtype_ == DType::kFloat32 ? 4 : 2);
  }
  const uint8_t* codes(const Section& section, int64_t block, int64_t unit) const {
    return reinterpret_cast<const uint8_t*>(codes_->data()) + section.first_code +
           section.units() * block * (kBlock / 8) + unit * OctetsOf(block);
  }
  int64_t blocks() const { return (octets() + kBlock / 8 - 1) / (kBlock / 8); }
  int64_t OctetsOf(int64_t block) const { return std::min(kBlock / 8, octets() - block * (kBlock / 8)); }

 private:
  PackedColumns(DType dtype, int64_t outputs, int64_t depth) : dtype_(dtype), outputs_(outputs), depth_(depth) {}
  template <class T>
  Status Fill(const T* dense);
  template <class T>
  void FillSection(const T* dense, const std::vector<uint8_t>& masks, const Chunk& chunk, const Section& section);

  DType dtype_;
  int64_t outputs_, depth_;
  std::vector<Chunk> chunks_;
  std::unique_ptr<PackedBytes> values_;
  std::unique_ptr<PackedBytes> codes_;
};

// The code of a group's mask: of fewer than two positions, both are the first one's (or 0).
uint8_t CodeOfMask(unsigned mask);
// Partners among `rows` rows of `groups` masks each (bit i: element i may be non-zero, at most two set): pairs of rows
// whose masks together still have at most two bits in every group. partner[i] = its partner, or -1.
std::vector<int32_t> FindPartners(const uint8_t* masks, int64_t rows, int64_t groups);

}  // namespace tamis
