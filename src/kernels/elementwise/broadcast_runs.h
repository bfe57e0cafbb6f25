// Walks the result of a broadcasting operator in runs. For kernels of plain x86-64 only: a template in files of another
// ISA must not be shared.
#pragma once

#include <algorithm>

#include "src/kernels/elementwise/broadcast.h"

namespace tamis {

// Calls f(offsets, at, count) for every run of result elements [at, at + count) that lies in one innermost loop and in
// [begin, end); offsets[k] is where operand k begins, and it moves on by strides[k][rank - 1].
template <class F>
void ForEachRun(const BroadcastLoops& loops, int64_t begin, int64_t end, F f) {
  const int last = loops.rank - 1;
  const int64_t inner = loops.dims[last];
  for (int64_t at = begin; at < end;) {
    int64_t offsets[kMaxOperands];
    RowOffsets(loops, at / inner, offsets);
    const int64_t first = at % inner, count = std::min(inner - first, end - at);
    for (size_t k = 0; k < kMaxOperands; ++k) offsets[k] += first * loops.strides[k][last];
    f(offsets, at, count);
    at += count;
  }
}

}  // namespace tamis
