#include "src/ops/op_data.h"

#include <algorithm>
#include <cstring>

namespace tamis {

std::vector<int64_t> RowMajorStrides(const Dims& dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= dims[axis];
  }
  return strides;
}

std::vector<int64_t> BroadcastStrides(const Dims& from, const Dims& to) {
  const auto own = RowMajorStrides(from);
  std::vector<int64_t> strides(to.size(), 0);
  for (size_t back = 1; back <= from.size(); ++back) {
    if (from[from.size() - back] != 1) strides[to.size() - back] = own[from.size() - back];
  }
  return strides;
}

namespace {

template <class T>
void CopyRow(const std::byte* from, int64_t first, int64_t stride, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * static_cast<int64_t>(sizeof(T)), from + (first + i * stride) * static_cast<int64_t>(sizeof(T)),
                sizeof(T));
  }
}

}  // namespace

void CopyStrided(const std::byte* from, int64_t first, const Dims& dims, const std::vector<int64_t>& strides,
                 size_t element, std::byte* to) {
  // Axes that lie one after the other in memory become one; axes of one element go.
  Dims sizes;
  std::vector<int64_t> steps;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 0) return;
    if (dims[axis] == 1) continue;
    if (!sizes.empty() && steps.back() == strides[axis] * dims[axis]) {
      sizes.back() *= dims[axis];
      steps.back() = strides[axis];
    } else {
      sizes.push_back(dims[axis]);
      steps.push_back(strides[axis]);
    }
  }
  if (sizes.empty()) sizes.push_back(1), steps.push_back(1);
  const int64_t row = sizes.back();
  const int64_t step = steps.back();
  const size_t outer = sizes.size() - 1;
  std::vector<int64_t> index(outer, 0);
  while (true) {
    if (step == 1) {
      std::memcpy(to, from + first * static_cast<int64_t>(element), static_cast<size_t>(row) * element);
    } else if (element == 1) {
      CopyRow<uint8_t>(from, first, step, row, to);
    } else if (element == 2) {
      CopyRow<uint16_t>(from, first, step, row, to);
    } else if (element == 4) {
      CopyRow<uint32_t>(from, first, step, row, to);
    } else {
      CopyRow<uint64_t>(from, first, step, row, to);
    }
    to += static_cast<size_t>(row) * element;
    size_t axis = outer;
    while (axis > 0 && ++index[axis - 1] == sizes[axis - 1]) {
      first -= (sizes[axis - 1] - 1) * steps[axis - 1];
      index[--axis] = 0;
    }
    if (axis == 0) return;
    first += steps[axis - 1];
  }
}

size_t ElementBytes(const Tensor& tensor) {
  return static_cast<size_t>(BitSize(tensor.dtype())) / 8;
}

Result<std::vector<int64_t>> ReadIndices(const EvalContext& context, const Tensor& indices, int64_t size) {
  std::vector<int64_t> values = indices.ToInt64s();
  for (int64_t& value : values) {
    if (value < -size || value >= size) {
      return context.Error(fmt::format("index {} is outside [{}, {})", value, -size, size));
    }
    if (value < 0) value += size;
  }
  return values;
}

int64_t CountOf(const Dims& dims, size_t begin, size_t end) {
  return NumElements(std::span(dims).subspan(begin, end - begin));
}

std::optional<Dim> TrackedProduct(const Shape& dims) {
  constexpr size_t kMaxSize = 256;
  Dim product(1);
  for (const Dim& dim : dims) {
    product = product * dim;
    if (product.Size() > kMaxSize) return std::nullopt;
  }
  return product;
}

Result<Shape> ReshapedShape(const InferContext& context, const Shape& from, const std::vector<Dim>& target,
                            bool allow_zero) {
  const auto describe = [&] { return fmt::format("{} cannot be seen as {}", ToString(from), ToString(target)); };
  Shape shape;
  std::optional<size_t> solved;
  for (size_t i = 0; i < target.size(); ++i) {
    const auto constant = target[i].Constant();
    if (constant == 0 && !allow_zero) {
      if (i >= from.size()) return context.Error(describe() + fmt::format(": there is no dimension {} to copy", i));
      shape.push_back(from[i]);
    } else if (constant == -1) {
      if (solved) return context.Error(describe() + ": more than one dimension is -1");
      solved = i;
      shape.push_back(Dim(1));
    } else if (constant && *constant < 0) {
      return context.Error(describe());
    } else {
      shape.push_back(target[i]);
    }
  }
  // Dimensions that both sides have cancel, which keeps the quotient of what is left simple.
  Shape above = from;
  Shape below;
  for (const Dim& dim : shape) {
    const auto same = std::find(above.begin(), above.end(), dim);
    if (same != above.end() && dim != Dim(0)) {
      above.erase(same);
    } else {
      below.push_back(dim);
    }
  }
  const auto have = TrackedProduct(above);
  const auto want = TrackedProduct(below);
  if (!have || !want) {
    if (solved) shape[*solved] = context.DataDim(0, *solved);
    return shape;
  }
  if (solved) {
    if (*want == Dim(0)) return context.Error(describe() + ": -1 beside an empty dimension is ambiguous");
    const auto rest = Dim::Mod(*have, *want).Constant();
    if (rest && *rest != 0) return context.Error(describe());
    shape[*solved] = Dim::FloorDiv(*have, *want);
  } else if (have->IsConstant() && want->IsConstant() && *have != *want) {
    return context.Error(describe());
  }
  return shape;
}

}  // namespace tamis
