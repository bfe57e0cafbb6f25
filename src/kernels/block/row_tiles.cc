#include "src/kernels/block/row_tiles.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace tamis {
namespace {

// Kernels may load, never store, up to a vector behind an operand.
size_t Padded(int64_t bytes) {
  return static_cast<size_t>((bytes + 63) / 64 * 64 + 64);
}

// Of a tile where layers leave the choice: fewer would read the weights too often for what they compute.
constexpr int64_t kFewRows = 48;

}  // namespace

RowTiles::RowTiles(std::vector<ChainLayer> layers, int64_t rows, int threads, int64_t budget)
    : layers_(std::move(layers)),
      rows_(rows),
      capacity_(layers_.size()),
      longest_(layers_.size()),
      largest_(layers_.size()) {
  // Behind the last layer that is cut in lines all rows stand for one another.
  for (const ChainLayer& layer : layers_) {
    if (layer.kernel->RowUnit() > 1) unit_ = layer.kernel->RowUnit();
  }
  parts_ = static_cast<int>(std::clamp<int64_t>(rows_ / unit_, 1, std::max(threads, 1)));
  const RowSpan part = PartRows(0);
  // The largest tiles that fit, of about one size. What windows reach over makes them larger than their share.
  for (int64_t tiles = 1;;) {
    const int64_t units = (part.size() / unit_ + tiles - 1) / tiles;
    tile_rows_ = std::max<int64_t>(units, 1) * unit_;
    Measure();
    if (BytesNeeded() <= budget || tile_rows_ <= std::max(unit_, kFewRows)) break;
    tiles = std::max(tiles + 1, tiles * BytesNeeded() / std::max<int64_t>(budget, 1));
  }
  // What is left of the budget lets the buffers run on before their kept rows are moved to the start.
  const int64_t needed = std::max<int64_t>(BytesNeeded(), 1);
  offsets_.resize(layers_.size());
  for (size_t k = 0; k + 1 < layers_.size(); ++k) {
    const auto share = static_cast<double>(budget) / static_cast<double>(needed);
    const auto stretched = static_cast<int64_t>(static_cast<double>(capacity_[k]) * std::max(share, 1.0));
    capacity_[k] = std::min(stretched, longest_[k]);
    offsets_[k] = scratch_offset_;
    scratch_offset_ += Padded(capacity_[k] * layers_[k].row_bytes);
  }
  for (size_t k = 0; k < layers_.size(); ++k) {
    scratch_bytes_ =
        std::max(scratch_bytes_, Padded(static_cast<int64_t>(layers_[k].kernel->RowScratchBytes(largest_[k]))));
  }
}

RowSpan RowTiles::PartRows(int index) const {
  const int64_t units = (rows_ + unit_ - 1) / unit_;
  return {units * index / parts_ * unit_, std::min(units * (index + 1) / parts_ * unit_, rows_)};
}

int64_t RowTiles::BytesNeeded() const {
  int64_t bytes = 0;
  for (size_t k = 0; k + 1 < layers_.size(); ++k) bytes += capacity_[k] * layers_[k].row_bytes;
  return bytes;
}

void RowTiles::Measure() {
  std::fill(capacity_.begin(), capacity_.end(), std::numeric_limits<int64_t>::max());
  std::fill(largest_.begin(), largest_.end(), 0);
  std::fill(longest_.begin(), longest_.end(), 0);
  std::vector<int64_t> most(layers_.size(), 0);
  for (int part = 0; part < parts_; ++part) {
    Progress progress;
    const RowSpan all = PartRows(part);
    for (int64_t row = all.begin; row < all.end; row += tile_rows_) {
      Advance({row, std::min(row + tile_rows_, all.end)}, nullptr, &progress);
      for (size_t k = 0; k < layers_.size(); ++k) {
        largest_[k] = std::max(largest_[k], progress.fresh[k].size());
        if (k + 1 == layers_.size()) continue;
        most[k] = std::max(most[k], progress.held[k].size());
        longest_[k] = std::max(longest_[k], progress.held[k].end - progress.first[k]);
      }
    }
  }
  capacity_ = most;
}

void RowTiles::Advance(RowSpan last, std::byte* memory, Progress* progress) const {
  const size_t count = layers_.size();
  progress->fresh[count - 1] = last;
  for (size_t k = count - 1; k-- > 0;) {
    RowSpan& held = progress->held[k];
    RowSpan& fresh = progress->fresh[k];
    const RowSpan wanted = progress->fresh[k + 1];
    fresh = {held.end, held.end};
    if (wanted.size() <= 0) continue;
    const RowSpan need = layers_[k + 1].kernel->Needs(wanted);
    if (need.end <= held.end) continue;
    if (held.end <= need.begin || held.size() <= 0) {
      held = {need.begin, need.begin};  // nothing to keep
      progress->first[k] = need.begin;
    } else {
      held.begin = need.begin;
      if (need.end - progress->first[k] > capacity_[k]) {
        if (memory != nullptr) {
          const std::byte* kept = Origin(*progress, k, memory) + held.begin * layers_[k].row_bytes;
          std::memmove(memory + offsets_[k], kept, static_cast<size_t>(held.size() * layers_[k].row_bytes));
        }
        progress->first[k] = held.begin;
      }
    }
    fresh = {held.end, need.end};
    held.end = need.end;
  }
}

}  // namespace tamis
