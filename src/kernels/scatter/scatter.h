// ScatterElements, Scatter and ScatterND: a copy of the data, then runs of it replaced by or reduced with updates.
//
// The copy is made by all threads; the updates are written in order by one, since targets may repeat.
#pragma once

#include "src/kernels/index_list.h"

namespace tamis {

enum class Reduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };

// Where the update's run i begins in the data, in elements.
using ScatterTarget = int64_t (*)(const void* args, const void* indices, int64_t i);

struct ScatterPlan {
  Reduction reduction = Reduction::kNone;
  DType dtype = DType::kUndefined;
  int64_t elements = 0;  // of the data
  int64_t updates = 0;   // runs
  int64_t run = 1;       // elements of one
};

// The dtypes that move are 1, 2, 4 and 8 bytes; those that reduce are f32, f64, int32 and int64.
Status CheckScatter(const Problem& problem);
ScatterPlan MakeScatterPlan(const Problem& problem, int64_t updates, int64_t run);
void CopyData(const ScatterPlan& plan, const void* data, void* out, int threads, ThreadPool& pool);
// Applies update run i to out[to, to + run).
void ApplyUpdates(const ScatterPlan& plan, const void* args, ScatterTarget target, const void* indices,
                  const void* updates, void* out);

}  // namespace tamis
