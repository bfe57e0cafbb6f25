// Work on rows x panels that threads share out beforehand, each its part of a grid, and take from one another at its
// end: cores are seldom equally fast, and whoever has done its own part takes units from the back of another's.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {

// The units of one part: blocks of rows, and all panels for each block before the next. Blocks get smaller towards the
// end where a part has few panels, so that there is something to take.
class PartUnits {
 public:
  struct Unit {
    PartSpan rows;
    int64_t panel = 0;
    bool has_next = false;  // the panel behind it is the next unit of the part
  };

  PartUnits(PartSpan rows, PartSpan panels, int64_t block_rows, int64_t row_unit);

  int64_t size() const { return (full_blocks_ + tail_blocks_) * (panels_.end - panels_.begin); }
  Unit At(int64_t index) const;

 private:
  static constexpr int64_t kEnough = 8;      // units of a part
  static constexpr int64_t kLeastRows = 48;  // of a block that is made smaller: a panel is prepared for each anew
  static constexpr size_t kMostTail = 8;

  PartSpan rows_, panels_;
  int64_t block_rows_;
  int64_t full_blocks_ = 0, tail_blocks_ = 0;
  std::array<int64_t, kMostTail + 1> tail_ = {};  // where the blocks behind the full ones begin, and the end
};

// Those of part `part` of a grid over so many rows and panels.
inline PartUnits UnitsOfPart(const PanelGrid& grid, int64_t rows, int64_t panels, int64_t part) {
  return {RowsOf(grid, rows, part), PanelsOf(grid, panels, part), grid.block_rows, grid.row_unit};
}

// All panels over some rows, in blocks, on the thread that asks: run(unit).
template <class Run>
void ForAllPanels(PartSpan rows, int64_t panels, int64_t block_rows, const Run& run) {
  for (int64_t row = rows.begin; row < rows.end; row += block_rows) {
    const PartSpan block = {row, std::min(row + block_rows, rows.end)};
    for (int64_t panel = 0; panel < panels; ++panel) run(PartUnits::Unit{block, panel, panel + 1 < panels});
  }
}

// Units of one part that nobody has taken yet. Lies in the workspace of a run, one for each part; none until Publish.
class alignas(64) UnitQueue {
 public:
  static size_t Bytes(int64_t parts) { return sizeof(UnitQueue) * static_cast<size_t>(parts); }
  // Null if the parts are not to share.
  static UnitQueue* MakeIn(std::byte* workspace, int64_t parts, bool share = true) {
    if (!share) return nullptr;
    auto* const queues = reinterpret_cast<UnitQueue*>(workspace);
    for (int64_t i = 0; i < parts; ++i) new (queues + i) UnitQueue();
    return queues;
  }

  void Publish(int64_t units) { range_.store(static_cast<uint64_t>(units) << 32, std::memory_order_release); }
  // -1: there are none.
  int64_t TakeFirst() {
    uint64_t seen = range_.load(std::memory_order_acquire);
    while (First(seen) < End(seen)) {
      if (range_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel)) return First(seen);
    }
    return -1;
  }
  int64_t TakeLast() {
    uint64_t seen = range_.load(std::memory_order_acquire);
    while (First(seen) < End(seen)) {
      if (range_.compare_exchange_weak(seen, seen - (uint64_t{1} << 32), std::memory_order_acq_rel))
        return End(seen) - 1;
    }
    return -1;
  }

 private:
  static int64_t First(uint64_t range) { return static_cast<int64_t>(range & 0xffffffffU); }
  static int64_t End(uint64_t range) { return static_cast<int64_t>(range >> 32); }

  std::atomic<uint64_t> range_{0};
};

// Whether parts of so many multiplications are worth the lines of the cache that their queues are: some 10 us.
inline bool WorthSharing(int64_t multiplications, int64_t parts) {
  return parts > 1 && multiplications / parts > 1'000'000;
}

// Part `index` of `parts`: its own units from the front, then those of the others from the back. `queues` null: its own
// only. units_of(part) are a part's, run(part, unit) computes one. What a part's units read must be there when it is
// called.
template <class UnitsOf, class Run>
void RunUnits(UnitQueue* queues, int64_t parts, int64_t index, const UnitsOf& units_of, const Run& run) {
  const PartUnits own = units_of(index);
  if (queues == nullptr) {
    for (int64_t unit = 0; unit < own.size(); ++unit) run(index, own.At(unit));
    return;
  }
  queues[index].Publish(own.size());
  for (int64_t unit = queues[index].TakeFirst(); unit >= 0; unit = queues[index].TakeFirst()) run(index, own.At(unit));
  for (int64_t i = 1; i < parts; ++i) {
    const int64_t other = (index + i) % parts;
    for (int64_t unit = queues[other].TakeLast(); unit >= 0; unit = queues[other].TakeLast()) {
      run(other, units_of(other).At(unit));
    }
  }
}

}  // namespace tamis
