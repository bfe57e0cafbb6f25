#include "src/engine/weight_table.h"

#include <cstring>

#include "src/base/hash.h"
#include "src/engine/format.h"

namespace tamis {

Result<int32_t> WeightTable::Add(const std::string& name, const Tensor& tensor, Pattern pattern) {
  const size_t bytes = tensor.NumBytes();
  const bool two_four = pattern == Pattern::kTwoFour && tensor.rank() > 0 && CanEncodeTwoFour(tensor.dtype());
  const uint64_t content = Hash64(tensor.raw(), bytes);
  for (auto [it, end] = by_content_.equal_range(content); it != end; ++it) {
    const WeightRecord& known = records_[static_cast<size_t>(it->second)];
    // A stored 2:4 weight serves a dense use too: it decodes to the same elements.
    if ((!two_four || known.two_four) && known.tensor.NumBytes() == bytes &&
        (known.tensor.raw() == tensor.raw() || std::memcmp(known.tensor.raw(), tensor.raw(), bytes) == 0)) {
      return it->second;
    }
  }
  WeightRecord record;
  record.name = name;
  record.tensor = tensor;
  record.bytes = bytes;
  if (two_four) {
    const auto row_elements = static_cast<uint64_t>(tensor.dim(-1));
    record.two_four = true;
    record.sparse = {row_elements == 0 ? 0 : static_cast<uint64_t>(tensor.NumElements()) / row_elements, row_elements,
                     static_cast<uint32_t>(BitSize(tensor.dtype()) / 8)};
    auto encoded = EncodeTwoFour(tensor.raw(), record.sparse, IsFloat(tensor.dtype()));
    if (!encoded) return InternalError("weight '{}' is marked 2:4 but a group of it has more than two non-zeros", name);
    record.encoded = std::move(*encoded);
    record.bytes = record.encoded.size();
  }
  record.checksum = two_four ? Hash64(record.encoded.data(), record.encoded.size()) : content;
  record.offset = records_.empty() ? 0 : AlignUp(records_.back().offset + records_.back().bytes, kWeightAlignment);
  total_ = AlignUp(record.offset + record.bytes, kWeightAlignment) + kWeightSlack;
  const auto index = static_cast<int32_t>(records_.size());
  records_.push_back(std::move(record));
  by_content_.emplace(content, index);
  return index;
}

}  // namespace tamis
