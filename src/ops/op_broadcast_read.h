// Reads a tensor as if it were broadcast to larger dimensions, without copying it.
#pragma once

#include <vector>

#include "tamis/tensor.h"

namespace tamis {

// Maps an element of `to` to the element of `from` that NumPy's broadcasting puts there; `from` must broadcast to `to`.
class BroadcastIndex {
 public:
  BroadcastIndex(const Dims& from, const Dims& to) {
    int64_t outer = 1;
    int64_t step = 1;
    for (size_t back = 1; back <= to.size(); ++back) {
      const int64_t size = to[to.size() - back];
      const int64_t own = back <= from.size() ? from[from.size() - back] : 1;
      if (own != 1) axes_.push_back({outer, size, step});
      outer *= size;
      step *= own;
    }
  }
  int64_t operator()(int64_t element) const {
    int64_t index = 0;
    for (const Axis& axis : axes_) index += element / axis.inner % axis.size * axis.step;
    return index;
  }

 private:
  struct Axis {
    int64_t inner;  // elements of `to` after the axis
    int64_t size;
    int64_t step;  // elements of `from` after the axis
  };
  std::vector<Axis> axes_;
};

}  // namespace tamis
