#include "src/ops/op_pieces.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace tamis {
namespace {

size_t BytesApart(const Tensor& tensor) {
  return tensor.dtype() == DType::kString ? sizeof(std::string) : ElementBytes(tensor);
}

void CopyRun(const Tensor& from, int64_t from_begin, Tensor* to, int64_t to_begin, int64_t count) {
  if (count == 0) return;
  if (from.dtype() == DType::kString) {
    const std::string* source = from.Data<std::string>() + from_begin;
    std::copy(source, source + count, to->Data<std::string>() + to_begin);
    return;
  }
  const size_t element = ElementBytes(from);
  std::memcpy(to->raw() + static_cast<size_t>(to_begin) * element,
              from.raw() + static_cast<size_t>(from_begin) * element, static_cast<size_t>(count) * element);
}

template <class Context>
Result<Tensor> NewTensor(const Context& context, DType dtype, Dims dims) {
  const int64_t count = NumElements(dims);
  if (count < 0 || count > kMaxElements) {
    return context.Error(fmt::format("a result of dimensions {} has more than 2^33 elements", ToString(dims)));
  }
  try {
    return Tensor(dtype, std::move(dims));
  } catch (const std::bad_alloc&) {
    return RuntimeError("no memory for a result of {} elements of type {}", count, Name(dtype));
  }
}

}  // namespace

Status CheckWholeBytes(const DataContext& context, const Tensor& tensor) {
  if (tensor.dtype() == DType::kString || BitSize(tensor.dtype()) >= 8) return {};
  return context.Error(fmt::format("elements of type {} are not supported", Name(tensor.dtype())));
}

void CopyElements(const Tensor& from, int64_t first, const std::vector<int64_t>& strides, Tensor* to) {
  const Dims& dims = to->dims();
  if (to->NumElements() == 0) return;
  if (from.dtype() != DType::kString)
    return CopyStrided(from.raw(), first, dims, strides, ElementBytes(from), to->raw());
  const std::string* source = from.Data<std::string>();
  std::vector<int64_t> index(dims.size(), 0);
  for (std::string& element : to->Span<std::string>()) {
    element = source[first];
    for (size_t axis = dims.size(); axis-- > 0;) {
      first += strides[axis];
      if (++index[axis] < dims[axis]) break;
      first -= dims[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}

Tensor CutAlong(const Tensor& tensor, size_t axis, int64_t begin, int64_t end) {
  Dims dims = tensor.dims();
  dims[axis] = end - begin;
  const auto strides = RowMajorStrides(tensor.dims());
  const int64_t first = begin * strides[axis];
  if (CountOf(dims, 0, axis) == 1) {
    return Tensor::View(tensor.dtype(), std::move(dims), tensor.raw() + static_cast<size_t>(first) * BytesApart(tensor),
                        std::make_shared<const Tensor>(tensor));
  }
  Tensor cut(tensor.dtype(), std::move(dims));
  CopyElements(tensor, first, strides, &cut);
  return cut;
}

Tensor TakeAlong(const Tensor& tensor, size_t axis, int64_t index) {
  const Tensor cut = CutAlong(tensor, axis, index, index + 1);
  Dims dims = cut.dims();
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  return cut.Reshaped(std::move(dims));
}

Result<Tensor> ConcatAlong(const DataContext& context, const std::vector<const Tensor*>& pieces, size_t axis) {
  Dims dims = pieces[0]->dims();
  int64_t length = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Tensor& piece = *pieces[i];
    TAMIS_RETURN_IF_ERROR(CheckWholeBytes(context, piece));
    bool fits = piece.dtype() == pieces[0]->dtype() && piece.dims().size() == dims.size();
    for (size_t d = 0; fits && d < dims.size(); ++d) fits = d == axis || piece.dims()[d] == dims[d];
    if (!fits) {
      return context.Error(
          fmt::format("element 0 is {}{} and element {} is {}{}: they do not fit together along axis {}",
                      Name(pieces[0]->dtype()), ToString(dims), i, Name(piece.dtype()), ToString(piece.dims()), axis));
    }
    length += piece.dims()[axis];
  }
  dims[axis] = length;
  TAMIS_ASSIGN_OR_RETURN(Tensor result, NewTensor(context, pieces[0]->dtype(), dims));
  const int64_t outer = CountOf(dims, 0, axis);
  const int64_t inner = CountOf(dims, axis + 1, dims.size());
  int64_t at = 0;
  for (const Tensor* piece : pieces) {
    const int64_t run = piece->dims()[axis] * inner;
    for (int64_t o = 0; o < outer; ++o) CopyRun(*piece, o * run, &result, o * length * inner + at, run);
    at += run;
  }
  return result;
}

Result<Tensor> StackAlong(const DataContext& context, const std::vector<const Tensor*>& pieces, size_t axis) {
  std::vector<Tensor> widened;
  std::vector<const Tensor*> pointers;
  widened.reserve(pieces.size());
  for (const Tensor* piece : pieces) {
    Dims dims = piece->dims();
    dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    pointers.push_back(&widened.emplace_back(piece->Reshaped(std::move(dims))));
  }
  return ConcatAlong(context, pointers, axis);
}

Result<Tensor> PickAlong(const EvalContext& context, const Tensor& tensor, size_t axis,
                         const std::vector<int64_t>& indices) {
  if (tensor.dtype() != DType::kString && BitSize(tensor.dtype()) < 8) {
    return context.Error(fmt::format("elements of type {} are not supported", Name(tensor.dtype())));
  }
  Dims dims = tensor.dims();
  const int64_t size = dims[axis];
  dims[axis] = static_cast<int64_t>(indices.size());
  TAMIS_ASSIGN_OR_RETURN(Tensor result, NewTensor(context, tensor.dtype(), dims));
  const int64_t outer = CountOf(dims, 0, axis);
  const int64_t inner = CountOf(dims, axis + 1, dims.size());
  int64_t at = 0;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t index : indices) {
      CopyRun(tensor, (o * size + index) * inner, &result, at, inner);
      at += inner;
    }
  }
  return result;
}

Status TensorStack::Append(const DataContext& context, const Datum& piece) {
  if (!piece.IsTensor()) {
    return context.Error(fmt::format("the body's output '{}' must be a tensor in every iteration", name_));
  }
  const Tensor& tensor = piece.tensor();
  if (count_ == 0) {
    TAMIS_RETURN_IF_ERROR(CheckWholeBytes(context, tensor));
    dims_ = tensor.dims();
  } else if (tensor.dims() != dims_ || tensor.dtype() != buffer_.dtype()) {
    return context.Error(fmt::format(
        "the body's output '{}' is {}{} in iteration {} and {}{} before; it must have one shape to be put together",
        name_, Name(tensor.dtype()), ToString(tensor.dims()), count_, Name(buffer_.dtype()), ToString(dims_)));
  }
  const int64_t size = tensor.NumElements();
  if (count_ == capacity_) {
    constexpr int64_t kFirst = 4;
    const int64_t capacity = std::max(kFirst, capacity_ * 2);
    Dims dims = dims_;
    dims.insert(dims.begin(), capacity);
    TAMIS_ASSIGN_OR_RETURN(Tensor larger, NewTensor(context, tensor.dtype(), std::move(dims)));
    CopyRun(buffer_, 0, &larger, 0, count_ * size);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }
  CopyRun(tensor, 0, &buffer_, count_ * size, size);
  ++count_;
  return {};
}

Result<Tensor> TensorStack::Finish(const DataContext& context, int64_t axis, bool reversed, const Type& empty) {
  if (count_ == 0) {
    for (const Dim& dim : empty.shape) dims_.push_back(dim.Constant().value_or(0));
    buffer_ = Tensor(empty.dtype == DType::kUndefined ? DType::kFloat32 : empty.dtype, Dims{0});
  }
  const auto rank = static_cast<int64_t>(dims_.size()) + 1;
  if (axis < -rank || axis >= rank) {
    return context.Error(fmt::format("axis {} of output '{}' is outside [{}, {})", axis, name_, -rank, rank));
  }
  const auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  Dims all = dims_;
  all.insert(all.begin(), count_);
  Dims dims = dims_;
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(at), count_);
  // What was allocated for pieces that did not come is given up only where it is much.
  if (at == 0 && !reversed && capacity_ <= count_ + count_ / 8) {
    return Tensor::View(buffer_.dtype(), std::move(dims), buffer_.raw(), std::make_shared<const Tensor>(buffer_));
  }
  std::vector<int64_t> strides = RowMajorStrides(all);
  const int64_t piece = strides[0];
  strides.erase(strides.begin());
  strides.insert(strides.begin() + static_cast<std::ptrdiff_t>(at), reversed ? -piece : piece);
  TAMIS_ASSIGN_OR_RETURN(Tensor result, NewTensor(context, buffer_.dtype(), std::move(dims)));
  CopyElements(buffer_, reversed ? (count_ - 1) * piece : 0, strides, &result);
  return result;
}

}  // namespace tamis
