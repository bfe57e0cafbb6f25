// How many of the samples are others than those before.
#pragma once

#include <cstdint>
#include <set>

#include "tamis/session.h"

namespace tamis {

class DistinctSamples {
 public:
  // Samples from `first` on of a batch. One that is equal to an earlier one in every input is no other; where the
  // inputs can't be told apart by samples (strings, scalars), all are others.
  void Add(const NamedTensors& batch, int64_t samples, int64_t first = 0);
  int64_t count() const { return count_; }

 private:
  std::set<uint64_t> seen_;
  int64_t count_ = 0;
};

}  // namespace tamis
