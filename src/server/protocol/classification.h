// The classification extension: instead of an output's scores the highest of them, each with its place.
#pragma once

#include <cstdint>

#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// Of every row along the last axis the `count` highest scores, highest first, as strings "SCORE:CLASS"; all of them
// where there are fewer. Equal scores come in the order of their classes, NaN last. `scores` are numbers of rank 1 or
// more.
Result<Tensor> TopClasses(const Tensor& scores, int64_t count);

}  // namespace tamis
