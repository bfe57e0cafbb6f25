#include "src/kernels/gemm/shared_units.h"

#include <algorithm>

namespace tamis {

PartUnits::PartUnits(PartSpan rows, PartSpan panels, int64_t block_rows, int64_t row_unit)
    : rows_(rows), panels_(panels), block_rows_(block_rows) {
  const int64_t count = rows.end - rows.begin;
  if (count <= 0) return;
  full_blocks_ = (count - 1) / block_rows;
  int64_t at = rows.begin + full_blocks_ * block_rows;
  const int64_t multiple = std::max<int64_t>(row_unit, 24);
  tail_[0] = at;
  while (true) {
    const int64_t left = rows.end - at, half = (left / 2 + multiple - 1) / multiple * multiple;
    const bool enough = (full_blocks_ + tail_blocks_ + 1) * (panels.end - panels.begin) >= kEnough;
    const bool last = enough || left - half < kLeastRows || static_cast<size_t>(tail_blocks_) + 1 == kMostTail;
    at = last ? rows.end : at + half;
    tail_[static_cast<size_t>(++tail_blocks_)] = at;
    if (last) return;
  }
}

PartUnits::Unit PartUnits::At(int64_t index) const {
  const int64_t panels = panels_.end - panels_.begin;
  const int64_t block = index / panels;
  Unit unit;
  unit.panel = panels_.begin + index % panels;
  unit.has_next = unit.panel + 1 < panels_.end;
  if (block < full_blocks_) {
    unit.rows = {rows_.begin + block * block_rows_, rows_.begin + (block + 1) * block_rows_};
  } else {
    const auto tail = static_cast<size_t>(block - full_blocks_);
    unit.rows = {tail_[tail], tail_[tail + 1]};
  }
  return unit;
}

}  // namespace tamis
