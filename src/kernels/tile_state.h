// What the tile registers (AMX) of a thread are configured for while it works on its part of a kernel's run.
// Configuring them takes 225 cycles on a Xeon, as long as a dozen multiplications: a part does so when shapes change,
// not at every call of a routine, and gives the registers back at its end.
#pragma once

#include <cstdint>

namespace tamis {

struct TileState {
  TileState() = default;
  TileState(const TileState&) = delete;
  TileState& operator=(const TileState&) = delete;
  ~TileState() {
    if (release != nullptr) release();
  }

  int upper_rows = 0;           // of the first tile of a pair
  int lower_rows = 0;           // of the second; 0: there is none
  int64_t steps = 0;            // of four bytes, in a multiplication
  void (*release)() = nullptr;  // null: nothing is configured
};

}  // namespace tamis
