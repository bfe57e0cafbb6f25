// Whether live inputs are distributed as the samples that an engine was calibrated with, as far as it remembers them.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "src/engine/value_record.h"
#include "tamis/session.h"

namespace tamis {

// Looks at a part of every request: at most kElements of each input, evenly spaced, from a place that moves on, some
// microseconds in all. A request that meets another one being looked at is left out, so none waits. Thread-safe.
class InputDrift {
 public:
  static constexpr int64_t kElements = 1024;
  // Figures are of the last whole window of so many samples, so that they follow what changes; before the first one is
  // whole, of what there is. Fewer samples than kFirst give none: elements of one sample are alike, and few tell
  // little.
  static constexpr int64_t kWindow = 1024, kFirst = 32;

  // Of these the network's inputs are watched.
  explicit InputDrift(const std::vector<ValueRecord>& records);
  bool empty() const { return inputs_.empty(); }

  void Observe(const NamedTensors& inputs);

  struct Figure {
    std::string input;
    int64_t samples = 0;    // they are from
    double outside = 0;     // share of the elements outside the calibrated range, or not finite
    double divergence = 0;  // Jensen-Shannon, in bits
  };
  std::vector<Figure> Figures() const;

 private:
  struct Input {
    explicit Input(const ValueRecord& record) : now(record) {}
    ValueWatch now;
    int64_t samples = 0;
    std::optional<Figure> last;  // of the last whole window
  };
  static Figure FigureOf(const Input& input);

  mutable std::mutex mutex_;
  std::vector<Input> inputs_;
  uint64_t requests_ = 0;
};

}  // namespace tamis
