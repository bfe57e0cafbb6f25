// Walks the rows of a tensor along one axis, wherever the axis is.
#pragma once

#include "tamis/tensor.h"

namespace tamis {

// Element i of a row is at `first + i * step`.
struct AxisRow {
  int64_t first;
  int64_t step;
  int64_t size;
};

// Calls f(row) for each of the rows of `size` elements, of which `step` lie interleaved.
template <class F>
void ForEachRow(int64_t elements, int64_t size, int64_t step, F&& f) {
  for (int64_t block = 0; block < elements; block += size * step) {
    for (int64_t i = 0; i < step; ++i) f(AxisRow{block + i, step, size});
  }
}

}  // namespace tamis
