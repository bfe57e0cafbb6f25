#include "src/runtime/appender.h"

#include <algorithm>
#include <cstring>

namespace tamis {
namespace {

// The dimensions of the result, if the operands' elements stand behind one another in it.
std::optional<Dims> JoinedDims(const Node& node, std::span<const Tensor* const> operands) {
  Dims dims = operands[0]->dims();
  const auto rank = static_cast<int64_t>(dims.size());
  int64_t axis = node.Int("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  const auto at = static_cast<size_t>(axis);
  if (std::any_of(dims.begin(), dims.begin() + axis, [](int64_t dim) { return dim != 1; })) return std::nullopt;
  for (const Tensor* operand : operands.subspan(1)) {
    if (operand == nullptr || operand->dtype() != operands[0]->dtype() || operand->rank() != rank) return std::nullopt;
    const int64_t joined = dims[at] + operand->dim(axis);
    dims[at] = operand->dim(axis);
    if (dims != operand->dims()) return std::nullopt;
    dims[at] = joined;
  }
  return dims;
}

}  // namespace

std::optional<Tensor> Appender::Append(const Node& node, std::span<const Tensor* const> operands, BufferPool& buffers) {
  if (latest_ == nullptr || operands.empty() || operands[0] == nullptr || operands[0]->raw() != latest_) {
    return std::nullopt;
  }
  const Tensor& first = *operands[0];
  if (BitSize(first.dtype()) == 0 || BitSize(first.dtype()) % 8 != 0) return std::nullopt;
  const auto dims = JoinedDims(node, operands);
  if (!dims) return std::nullopt;
  const size_t bytes = ByteSize(first.dtype(), static_cast<size_t>(NumElements(*dims)));
  const bool behind = block_.Defined() && first.raw() == block_.raw() && first.NumBytes() == used_;
  if (!behind || bytes > block_.NumBytes()) {
    Tensor larger = buffers.NewTensor(DType::kUInt8, {static_cast<int64_t>(2 * bytes)});
    std::memcpy(larger.raw(), first.raw(), first.NumBytes());
    block_ = std::move(larger);
    used_ = first.NumBytes();
  }
  for (const Tensor* operand : operands.subspan(1)) {
    if (operand->NumBytes() == 0) continue;
    std::memcpy(block_.raw() + used_, operand->raw(), operand->NumBytes());
    used_ += operand->NumBytes();
  }
  latest_ = block_.raw();
  return Tensor::View(first.dtype(), *dims, block_.raw(), std::make_shared<Tensor>(block_));
}

}  // namespace tamis
