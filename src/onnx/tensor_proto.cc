#include "src/onnx/tensor_proto.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <utility>

#include "src/onnx/dtypes.h"

namespace tamis {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian and copied as it is");

Status WrongCount(DType dtype, const Dims& dims, int64_t found, int64_t needed, std::string_view unit) {
  return UserError("{}{} needs {} {}, the file has {}", Name(dtype), ToString(dims), needed, unit, found);
}

// Copies a typed field whose entries may be wider than the elements.
template <class To, class Field>
Status CopyField(const Field& field, Tensor* tensor) {
  To* out = tensor->Data<To>();
  for (const auto value : field) {
    if constexpr (std::is_integral_v<To>) {
      if (!std::in_range<To>(value)) return UserError("value {} does not fit {}", value, Name(tensor->dtype()));
    }
    *out++ = static_cast<To>(value);
  }
  return {};
}

template <class To, class Field>
Result<Tensor> FromField(const Field& field, DType dtype, const Dims& dims) {
  const int64_t count = NumElements(dims);
  const int64_t a_byte = std::max(1, 8 / BitSize(dtype));  // elements that share a byte
  const int64_t entries = (count + a_byte - 1) / a_byte;
  if (field.size() != entries) return WrongCount(dtype, dims, field.size(), entries, "values");
  Tensor tensor(dtype, dims);
  TAMIS_RETURN_IF_ERROR(CopyField<To>(field, &tensor));
  return tensor;
}

Result<Tensor> FromTypedFields(const onnx::TensorProto& proto, DType dtype, const Dims& dims) {
  switch (dtype) {
    case DType::kFloat32:
      return FromField<float>(proto.float_data(), dtype, dims);
    case DType::kFloat64:
      return FromField<double>(proto.double_data(), dtype, dims);
    case DType::kInt64:
      return FromField<int64_t>(proto.int64_data(), dtype, dims);
    case DType::kUInt32:
      return FromField<uint32_t>(proto.uint64_data(), dtype, dims);
    case DType::kUInt64:
      return FromField<uint64_t>(proto.uint64_data(), dtype, dims);
    case DType::kInt32:
      return FromField<int32_t>(proto.int32_data(), dtype, dims);
    case DType::kInt16:
      return FromField<int16_t>(proto.int32_data(), dtype, dims);
    case DType::kInt8:
      return FromField<int8_t>(proto.int32_data(), dtype, dims);
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return FromField<uint16_t>(proto.int32_data(), dtype, dims);
    default:
      return FromField<uint8_t>(proto.int32_data(), dtype, dims);  // bool, uint8, float8; packed 2- and 4-bit numbers
  }
}

// Kernels may rely on a bool being 0 or 1, and on the unused bits of a last byte being 0.
void Normalise(Tensor* tensor) {
  if (tensor->dtype() == DType::kBool) {
    for (uint8_t& value : tensor->Span<uint8_t>()) value = value != 0;
  } else if (BitSize(tensor->dtype()) > 0 && BitSize(tensor->dtype()) < 8) {
    const int64_t used = tensor->NumElements() * BitSize(tensor->dtype()) % 8;
    if (used != 0) tensor->Data<uint8_t>()[tensor->NumBytes() - 1] &= static_cast<uint8_t>((1 << used) - 1);
  }
}

Status CheckRawData(size_t found, DType dtype, const Dims& dims) {
  const size_t needed = ByteSize(dtype, static_cast<size_t>(NumElements(dims)));
  if (found == needed) return {};
  return WrongCount(dtype, dims, static_cast<int64_t>(found), static_cast<int64_t>(needed), "bytes");
}

Result<Tensor> FromRawData(onnx::TensorProto* proto, DType dtype, const Dims& dims) {
  const std::string raw = std::move(*proto->mutable_raw_data());  // freed here, not with the model
  TAMIS_RETURN_IF_ERROR(CheckRawData(raw.size(), dtype, dims));
  Tensor tensor(dtype, dims);
  std::memcpy(tensor.raw(), raw.data(), raw.size());
  return tensor;
}

Result<Tensor> FromDetached(Tensor raw_data, DType dtype, const Dims& dims) {
  TAMIS_RETURN_IF_ERROR(CheckRawData(raw_data.NumBytes(), dtype, dims));
  auto owner = std::make_shared<const Tensor>(std::move(raw_data));
  const std::byte* elements = owner->raw();
  return Tensor::View(dtype, dims, elements, std::move(owner));
}

}  // namespace

Result<Tensor> ReadTensor(onnx::TensorProto* proto, ExternalData* external, bool* file_error) {
  return ReadTensor(proto, Tensor(), external, file_error);
}

Result<Tensor> ReadTensor(onnx::TensorProto* proto, Tensor raw_data, ExternalData* external, bool* file_error) {
  *file_error = false;
  TAMIS_ASSIGN_OR_RETURN(const DType dtype, ReadDType(proto->data_type()));
  const Dims dims(proto->dims().begin(), proto->dims().end());
  TAMIS_RETURN_IF_ERROR(CheckDims(dims));
  if (proto->has_segment()) return UserError("is stored in segments, which is not supported; save it in one piece");
  if (dtype == DType::kString) {
    if (proto->string_data_size() != NumElements(dims)) {
      return WrongCount(dtype, dims, proto->string_data_size(), NumElements(dims), "values");
    }
    return Tensor::Strings(dims, {proto->string_data().begin(), proto->string_data().end()});
  }
  Result<Tensor> tensor = proto->data_location() == onnx::TensorProto::EXTERNAL
                              ? external->Read(*proto, dtype, dims, file_error)
                          : raw_data.Defined()         ? FromDetached(std::move(raw_data), dtype, dims)
                          : !proto->raw_data().empty() ? FromRawData(proto, dtype, dims)
                                                       : FromTypedFields(*proto, dtype, dims);
  if (!tensor.ok()) return tensor;
  Normalise(&*tensor);
  return tensor;
}

Result<Tensor> ReadSparseTensor(onnx::SparseTensorProto* proto, ExternalData* external, bool* file_error) {
  constexpr int64_t kMaxExpansion = 1024;
  constexpr int64_t kSmall = 65536;  // elements that may be allocated whatever is stored
  const Dims dims(proto->dims().begin(), proto->dims().end());
  TAMIS_RETURN_IF_ERROR(CheckDims(dims));
  TAMIS_ASSIGN_OR_RETURN(const Tensor values, ReadTensor(proto->mutable_values(), external, file_error));
  TAMIS_ASSIGN_OR_RETURN(const Tensor indices, ReadTensor(proto->mutable_indices(), external, file_error));
  const int64_t stored = values.NumElements();
  const int64_t count = NumElements(dims);
  const auto rank = static_cast<int64_t>(dims.size());
  if (BitSize(values.dtype()) < 8) return UserError("sparse tensors of {} are not supported", Name(values.dtype()));
  const bool linear = indices.dims() == Dims{stored};
  if (indices.dtype() != DType::kInt64 || values.rank() != 1 || !(linear || indices.dims() == Dims{stored, rank})) {
    return UserError("sparse values {} and indices {}{} do not belong to a shape of {} dimensions",
                     ToString(values.dims()), Name(indices.dtype()), ToString(indices.dims()), rank);
  }
  if (count > kSmall && count / kMaxExpansion > stored) {
    return UserError("a sparse tensor of shape {} with {} values is not expanded: fewer than one in {} is stored",
                     ToString(dims), stored, kMaxExpansion);
  }
  Tensor dense(values.dtype(), dims);
  const size_t width = ByteSize(values.dtype(), 1);
  const int64_t* index = indices.Data<int64_t>();
  for (int64_t i = 0; i < stored; ++i) {
    int64_t position = 0;
    bool inside = true;
    if (linear) {
      position = index[i];
      inside = position >= 0 && position < count;
    } else {
      for (int64_t axis = 0; axis < rank && inside; ++axis) {
        const int64_t at = index[i * rank + axis];
        inside = at >= 0 && at < dims[static_cast<size_t>(axis)];
        if (inside) position = position * dims[static_cast<size_t>(axis)] + at;
      }
    }
    if (!inside || count == 0) return UserError("sparse index {} lies outside shape {}", i, ToString(dims));
    std::memcpy(dense.raw() + static_cast<size_t>(position) * width, values.raw() + static_cast<size_t>(i) * width,
                width);
  }
  return dense;
}

void WriteTensorHeader(const std::string& name, const Tensor& tensor, onnx::TensorProto* proto) {
  proto->set_name(name);
  proto->set_data_type(static_cast<int32_t>(tensor.dtype()));
  for (int64_t dim : tensor.dims()) proto->add_dims(dim);
}

void WriteElements(const Tensor& tensor, onnx::TensorProto* proto) {
  if (tensor.dtype() == DType::kString) {
    for (const std::string& element : tensor.Span<std::string>()) proto->add_string_data(element);
    return;
  }
  proto->set_raw_data(tensor.raw(), tensor.NumBytes());
}

void WriteTensor(const std::string& name, const Tensor& tensor, onnx::TensorProto* proto) {
  WriteTensorHeader(name, tensor, proto);
  WriteElements(tensor, proto);
}

}  // namespace tamis
