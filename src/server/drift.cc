#include "src/server/drift.h"

#include <algorithm>

namespace tamis {

InputDrift::InputDrift(const std::vector<ValueRecord>& records) {
  for (const ValueRecord& record : records) {
    if (record.input && record.Count() > 0) inputs_.emplace_back(record);
  }
}

InputDrift::Figure InputDrift::FigureOf(const Input& input) {
  return {input.now.expected().name, input.samples, input.now.Outside(), input.now.Divergence()};
}

void InputDrift::Observe(const NamedTensors& inputs) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  ++requests_;
  for (Input& input : inputs_) {
    const auto found = inputs.find(input.now.expected().name);
    if (found == inputs.end() || found->second.dtype() != DType::kFloat32) continue;
    const std::span<const float> all = found->second.Span<float>();
    if (all.empty()) continue;
    // An odd step meets every channel of the usual layouts, and the first element moves on with the requests.
    constexpr auto kMost = static_cast<size_t>(kElements);
    const size_t step = ((all.size() + kMost - 1) / kMost) | 1;  // so that the last elements are met as well
    std::vector<float> some;
    some.reserve(kMost);
    for (size_t i = requests_ % step; i < all.size(); i += step) some.push_back(all[i]);
    input.now.Add(some);
    input.samples += found->second.rank() > 0 ? found->second.dim(0) : 1;
    if (input.samples < kWindow) continue;
    input.last = FigureOf(input);
    input.now = ValueWatch(input.now.expected());
    input.samples = 0;
  }
}

std::vector<InputDrift::Figure> InputDrift::Figures() const {
  const std::lock_guard lock(mutex_);
  std::vector<Figure> figures;
  for (const Input& input : inputs_) {
    if (input.last) {
      figures.push_back(*input.last);
    } else if (input.samples >= kFirst) {
      figures.push_back(FigureOf(input));
    }
  }
  return figures;
}

}  // namespace tamis
