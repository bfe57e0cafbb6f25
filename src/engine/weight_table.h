// The weights of an engine that is being written: each distinct content once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "src/engine/sparse_codec.h"
#include "src/ir/graph.h"

namespace tamis {

// One weight as the file holds it.
struct WeightRecord {
  std::string name;              // of the first value that uses it, for messages
  Tensor tensor;                 // the elements
  std::vector<uint8_t> encoded;  // 2:4 only
  bool two_four = false;
  SparseShape sparse;     // 2:4 only
  uint64_t bytes = 0;     // as stored
  uint64_t checksum = 0;  // of the stored bytes
  uint64_t offset = 0;    // from the start of the weights

  const void* data() const { return two_four ? static_cast<const void*>(encoded.data()) : tensor.raw(); }
};

class WeightTable {
 public:
  // The index of the weight that holds these elements, added if no equal one is there. Fails (kInternal) if the value
  // claims the 2:4 pattern and its elements break it.
  Result<int32_t> Add(const std::string& name, const Tensor& tensor, Pattern pattern);
  const std::vector<WeightRecord>& records() const { return records_; }
  // Bytes of all weights with their padding and the readable slack behind them.
  uint64_t TotalBytes() const { return total_; }

 private:
  std::vector<WeightRecord> records_;
  std::multimap<uint64_t, int32_t> by_content_;
  uint64_t total_ = 0;
};

}  // namespace tamis
