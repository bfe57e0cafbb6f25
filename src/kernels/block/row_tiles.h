// How a chain of layers runs tile by tile: which rows of every layer's result each tile makes, and where in the
// layer's buffer they lie. Rows that the next tile needs again (a window reaches over lines) are kept, not made twice.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "src/kernels/row_kernel.h"

namespace tamis {

// One layer of a chain: `next` reads its rows as input 0.
struct ChainLayer {
  const RowKernel* kernel = nullptr;
  int64_t row_bytes = 0;  // of the result
};

class RowTiles {
 public:
  static constexpr size_t kMaxLayers = 8;

  // `rows` of the last layer's result are made, `budget` bytes are what the results of the others may take.
  RowTiles(std::vector<ChainLayer> layers, int64_t rows, int threads, int64_t budget);

  int parts() const { return parts_; }  // that run side by side
  int64_t tile_rows() const { return tile_rows_; }
  // Of one part: a buffer for every layer but the last, then the scratch of whichever runs.
  size_t PartBytes() const { return scratch_offset_ + scratch_bytes_; }

  // Makes the rows of part `index`. run(layer, rows, input, output, scratch): `input` and `output` are where the first
  // row of the whole operand would be; null for the input of the first layer and the output of the last.
  template <class Run>
  void ForPart(int index, std::byte* memory, const Run& run) const {
    Progress progress;
    const RowSpan all = PartRows(index);
    for (int64_t row = all.begin; row < all.end; row += tile_rows_) {
      Advance({row, std::min(row + tile_rows_, all.end)}, memory, &progress);
      for (size_t k = 0; k < layers_.size(); ++k) {
        if (progress.fresh[k].size() <= 0) continue;
        run(k, progress.fresh[k], k == 0 ? nullptr : Origin(progress, k - 1, memory),
            k + 1 == layers_.size() ? nullptr : Origin(progress, k, memory), memory + scratch_offset_);
      }
    }
  }

 private:
  // Of one part: the rows of each layer's result that its buffer holds, the row at the buffer's start, and what a tile
  // adds.
  struct Progress {
    std::array<RowSpan, kMaxLayers> held = {}, fresh = {};
    std::array<int64_t, kMaxLayers> first = {};
  };

  RowSpan PartRows(int index) const;
  // Says what the tile `last` of the last layer needs made, and makes room; `memory` is null where nothing lies yet.
  void Advance(RowSpan last, std::byte* memory, Progress* progress) const;
  std::byte* Origin(const Progress& progress, size_t layer, std::byte* memory) const {
    return memory + offsets_[layer] - progress.first[layer] * layers_[layer].row_bytes;
  }
  // The most rows that one tile needs of every layer at once, into capacity_, and the other two.
  void Measure();
  int64_t BytesNeeded() const;

  std::vector<ChainLayer> layers_;
  int64_t rows_, unit_ = 1, tile_rows_ = 1;
  int parts_ = 1;
  std::vector<int64_t> capacity_;  // rows of each buffer
  std::vector<int64_t> longest_;   // rows that a part makes of each layer one after another
  std::vector<int64_t> largest_;   // rows that one call makes of each layer
  std::vector<size_t> offsets_;
  size_t scratch_offset_ = 0, scratch_bytes_ = 0;
};

}  // namespace tamis
