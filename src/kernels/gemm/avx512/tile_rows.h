// The rows of x that a tile multiplies, by few enough registers.
//
// An offset for each row is more than a processor has registers for. What is left over g++ keeps in vector registers
// and moves back at every step, on the pipes that multiply: twelve rows then took 26 cycles for the 24 of their
// products.
#pragma once

#include <cstdint>

namespace tamis {
namespace {

template <int kRows>
class TileRows {
 public:
  // `pitch` in bytes.
  TileRows(const void* first, int64_t pitch) : pitch_(pitch), three_(3 * pitch) {
#pragma GCC unroll 4
    for (int i = 0; i < kQuads; ++i) quads_[i] = static_cast<const uint8_t*>(first) + 4 * i * pitch;
  }

  // Of a constant `r`: one addition of the load.
  __attribute__((always_inline)) const uint8_t* operator[](int r) const {
    const uint8_t* const quad = quads_[r / 4];
    return r % 4 == 3 ? quad + three_ : quad + r % 4 * pitch_;
  }
  __attribute__((always_inline)) void Advance(int64_t bytes) {
#pragma GCC unroll 4
    for (int i = 0; i < kQuads; ++i) {
      quads_[i] += bytes;
      asm volatile("" : "+r"(quads_[i]));  // or it would be one pointer and offsets from it again
    }
  }

 private:
  static constexpr int kQuads = (kRows + 3) / 4;
  const uint8_t* quads_[kQuads];
  int64_t pitch_, three_;
};

}  // namespace
}  // namespace tamis
