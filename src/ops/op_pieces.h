// Cutting tensors along an axis and putting them together again; elements of any type, strings included.
#pragma once

#include <vector>

#include "src/ops/op_data.h"

namespace tamis {

// Refuses elements of less than a byte.
Status CheckWholeBytes(const DataContext& context, const Tensor& tensor);

// CopyStrided for whole tensors: `to` holds, row-major, from[first + i * strides[0] + ...].
void CopyElements(const Tensor& from, int64_t first, const std::vector<int64_t>& strides, Tensor* to);

// Elements [begin, end) along an axis; a view where they lie together in memory.
Tensor CutAlong(const Tensor& tensor, size_t axis, int64_t begin, int64_t end);
// The same for one element, whose axis goes.
Tensor TakeAlong(const Tensor& tensor, size_t axis, int64_t index);

// The pieces one after the other along an axis. They agree in dtype and in all other dimensions.
Result<Tensor> ConcatAlong(const DataContext& context, const std::vector<const Tensor*>& pieces, size_t axis);
// The pieces, of one shape, side by side along a new axis.
Result<Tensor> StackAlong(const DataContext& context, const std::vector<const Tensor*>& pieces, size_t axis);

// The elements at these indices of an axis, which are all inside.
Result<Tensor> PickAlong(const EvalContext& context, const Tensor& tensor, size_t axis,
                         const std::vector<int64_t>& indices);

// Tensors of one shape, collected one by one without knowing how many will come: the time is linear in their number.
class TensorStack {
 public:
  explicit TensorStack(std::string name) : name_(std::move(name)) {}
  Status Append(const DataContext& context, const Datum& piece);
  int64_t count() const { return count_; }
  // The pieces along a new axis, the last first if `reversed`. `empty` is the type of a piece where none came; unknown
  // dimensions count as 0.
  Result<Tensor> Finish(const DataContext& context, int64_t axis, bool reversed, const Type& empty);

 private:
  std::string name_;  // for messages
  int64_t count_ = 0, capacity_ = 0;
  Dims dims_;
  Tensor buffer_;  // [capacity_, dims_...]
};

}  // namespace tamis
