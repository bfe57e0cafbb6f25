// Moving elements of any type: copies along strides, and indices read from tensors.
#pragma once

#include <cstddef>
#include <vector>

#include "src/ops/op_bind.h"

namespace tamis {

// Elements from one index to the next, for each axis of a row-major tensor.
std::vector<int64_t> RowMajorStrides(const Dims& dims);
// The same for `from` read as if broadcast to `to`: 0 along repeated axes. `from` must broadcast to `to`.
std::vector<int64_t> BroadcastStrides(const Dims& from, const Dims& to);

// Writes a row-major block of dimensions `dims` to `to`; its element [i, j, ...] is from[first + i * strides[0] + ...].
// The caller answers for all of these being inside of `from`. `element` is the size in bytes.
void CopyStrided(const std::byte* from, int64_t first, const Dims& dims, const std::vector<int64_t>& strides,
                 size_t element, std::byte* to);
// Bytes of one element of a tensor of whole-byte elements.
size_t ElementBytes(const Tensor& tensor);

// Non-negative indices into `size` elements, negative ones counted from the end; an error names the first outside.
Result<std::vector<int64_t>> ReadIndices(const EvalContext& context, const Tensor& indices, int64_t size);
// The product of dims[begin, end).
int64_t CountOf(const Dims& dims, size_t begin, size_t end);

// The shape of a tensor seen as other dimensions, of which at most one (-1) is solved for. `target` holds symbolic
// contents; zeros copy the input's dimension unless `allow_zero`.
Result<Shape> ReshapedShape(const InferContext& context, const Shape& from, const std::vector<Dim>& target,
                            bool allow_zero);
// The product, or nullopt once the expression is too large to be worth tracking.
std::optional<Dim> TrackedProduct(const Shape& dims);

}  // namespace tamis
