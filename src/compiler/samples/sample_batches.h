// Samples as two models answer them side by side: in batches of a size that both take.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/compiler/samples/data_source.h"
#include "tamis/session.h"

namespace tamis {

// The size nearest to `wished` that every profile-bounded session takes as the first dimension of its inputs; of
// sessions that no size suits, what the first would take. At least 1.
int64_t BatchNear(std::span<const Session* const> sessions, int64_t wished);

struct SampleBatch {
  std::vector<int64_t> samples;
  // So many at the front were answered in an earlier batch, or stand for samples that there are not; their answers do
  // not count.
  size_t repeated = 0;
};
// All samples in batches of the source's fixed size, or of the size near 32 that the sessions take. The last one is
// smaller where everybody takes that, and else filled up with the samples before.
std::vector<SampleBatch> BatchesFor(std::span<const Session* const> sessions, const DataSource& data,
                                    std::span<const int64_t> samples);

// Whether every output has the samples as its first dimension.
bool BySample(const NamedTensors& outputs, size_t samples);
// Rows that are not among the first `repeated`: copies.
NamedTensors WithoutFirst(const NamedTensors& outputs, size_t repeated);

}  // namespace tamis
