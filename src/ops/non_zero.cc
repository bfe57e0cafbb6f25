#include <cstring>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// How many elements are not zero depends on the values.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers | kBools));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    context.SetOutputDType(0, DType::kInt64);
    return {};
  }
  return SetShape(context, 0, DType::kInt64, {Dim(static_cast<int64_t>(shape->size())), context.DataDim(0, 1)});
}

// Calls f(column) for each element of a row that is not zero. Elements are read as unsigned integers of their size;
// `mask` leaves out the sign of floats, so that -0 is zero.
template <class T, class F>
void ForNonZero(const T* row, int64_t size, T mask, F&& f) {
  constexpr int64_t kBlock = 32;
  int64_t i = 0;
  for (; i + kBlock <= size; i += kBlock) {
    T any = 0;
    for (int64_t k = 0; k < kBlock; ++k) any = static_cast<T>(any | (row[i + k] & mask));
    if (any == 0) continue;
    for (int64_t k = 0; k < kBlock; ++k) {
      if ((row[i + k] & mask) != 0) f(i + k);
    }
  }
  for (; i < size; ++i) {
    if ((row[i] & mask) != 0) f(i);
  }
}

template <class T>
Status Find(EvalContext& context, T mask) {
  const Tensor& data = *context.input(0);
  Dims dims = data.dims();
  if (dims.empty()) dims.push_back(1);
  const int64_t size = dims.back();
  const int64_t rows = size == 0 ? 0 : NumElements(dims) / size;
  const T* elements = data.Data<T>();
  int64_t count = 0;
  ForNonZero(elements, rows * size, mask, [&](int64_t) { ++count; });
  // A scalar that is not zero is found once, and has no index.
  TAMIS_ASSIGN_OR_RETURN(context.outputs[0], Allocate(context, DType::kInt64, {data.rank(), count}));
  if (data.rank() == 0) return {};
  const int64_t rank = data.rank();
  int64_t* const to = context.outputs[0].Data<int64_t>();
  std::vector<int64_t> index(dims.size(), 0);
  int64_t found = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = found;
    ForNonZero(elements + row * size, size, mask, [&](int64_t column) { to[(rank - 1) * count + found++] = column; });
    for (int64_t axis = 0; axis + 1 < rank; ++axis) {
      std::fill(to + axis * count + first, to + axis * count + found, index[static_cast<size_t>(axis)]);
    }
    for (auto axis = static_cast<size_t>(rank - 1); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const DType dtype = context.input(0)->dtype();
  const bool is_float = IsFloat(dtype);
  switch (BitSize(dtype)) {
    case 8:
      return Find<uint8_t>(context, 0xff);
    case 16:
      return Find<uint16_t>(context, is_float ? 0x7fff : 0xffff);
    case 32:
      return Find<uint32_t>(context, is_float ? 0x7fffffffu : ~0u);
    default:
      return Find<uint64_t>(context, is_float ? ~uint64_t{0} >> 1 : ~uint64_t{0});
  }
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {3, 4}, 0, 1)}, {}}, {{SampleInts(2, {2, 70}, 0, 1)}, {}}};
}

}  // namespace

extern const OpDef op_non_zero = {.name = "NonZero",
                                  .domain = "",
                                  .since_opset = 9,
                                  .infer = Infer,
                                  .eval = Eval,
                                  .test_cases = Cases,
                                  .widen_half = false};

}  // namespace tamis
