#include "src/compiler/samples/sample_batches.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "src/runtime/engine_session.h"

namespace tamis {
namespace {

// The sizes that one profile takes as the first dimension of all inputs.
DimRange BatchRange(const Profile& profile, const std::vector<TensorSpec>& inputs) {
  DimRange range = {1, 1, std::numeric_limits<int64_t>::max(), true};
  for (const TensorSpec& input : inputs) {
    if (input.dims.empty() || input.dims[0] >= 0) continue;
    const auto found = profile.find(input.dim_names[0]);
    if (found == profile.end() || !found->second.bounded) continue;
    range.min = std::max(range.min, found->second.min);
    range.max = std::min(range.max, found->second.max);
  }
  return range;
}

int64_t BatchNear(const Session& session, int64_t wished) {
  int64_t nearest = 0;
  for (const Profile& profile : ProfilesOf(session)) {
    const DimRange range = BatchRange(profile, session.inputs());
    if (range.min > range.max) continue;
    const int64_t size = std::clamp(wished, range.min, range.max);
    if (nearest == 0 || std::abs(size - wished) < std::abs(nearest - wished)) nearest = size;
  }
  return nearest == 0 ? std::max<int64_t>(wished, 1) : nearest;
}

bool AllTake(std::span<const Session* const> sessions, int64_t size) {
  return std::all_of(sessions.begin(), sessions.end(),
                     [size](const Session* session) { return BatchNear(*session, size) == size; });
}

}  // namespace

int64_t BatchNear(std::span<const Session* const> sessions, int64_t wished) {
  int64_t first = std::max<int64_t>(wished, 1);
  for (const Session* session : sessions) {
    const int64_t size = BatchNear(*session, std::max<int64_t>(wished, 1));
    if (AllTake(sessions, size)) return size;
    if (session == sessions.front()) first = size;
  }
  return first;
}

std::vector<SampleBatch> BatchesFor(std::span<const Session* const> sessions, const DataSource& data,
                                    std::span<const int64_t> samples) {
  constexpr int64_t kBatch = 32;
  const bool fixed = data.fixed_batch() > 0;
  const auto size = static_cast<size_t>(fixed ? data.fixed_batch() : BatchNear(sessions, kBatch));
  std::vector<SampleBatch> batches;
  for (size_t begin = 0; begin < samples.size(); begin += size) {
    const size_t count = std::min(size, samples.size() - begin);
    SampleBatch batch;
    if (count < size && (fixed || !AllTake(sessions, static_cast<int64_t>(count)))) batch.repeated = size - count;
    // Counted back from `begin`, and round again where there are not so many samples.
    const size_t turns = batch.repeated / samples.size() + 1;
    for (size_t i = 0; i < batch.repeated + count; ++i) {
      batch.samples.push_back(samples[(turns * samples.size() + begin - batch.repeated + i) % samples.size()]);
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

bool BySample(const NamedTensors& outputs, size_t samples) {
  return std::all_of(outputs.begin(), outputs.end(), [&](const auto& entry) {
    return entry.second.rank() > 0 && entry.second.dim(0) == static_cast<int64_t>(samples);
  });
}

NamedTensors WithoutFirst(const NamedTensors& outputs, size_t repeated) {
  NamedTensors rest;
  for (const auto& [name, all] : outputs) {
    Dims dims = all.dims();
    const size_t row_bytes = all.NumBytes() / static_cast<size_t>(dims[0]);
    dims[0] -= static_cast<int64_t>(repeated);
    Tensor rows(all.dtype(), dims);
    std::memcpy(rows.raw(), all.raw() + repeated * row_bytes, rows.NumBytes());
    rest.emplace(name, std::move(rows));
  }
  return rest;
}

}  // namespace tamis
