#include "src/onnx/type_proto.h"

#include "src/onnx/dtypes.h"
#include "tamis/tensor.h"

namespace tamis {
namespace {

// Some exporters write these where they mean "not known"; two of them are not the same dimension.
bool IsUnknown(const onnx::TensorShapeProto::Dimension& dim) {
  if (dim.has_dim_value()) return dim.dim_value() == -1;
  const std::string& param = dim.dim_param();
  return param.empty() || param == "?" || param == "None";
}

Result<Type> ReadTensorType(const onnx::TypeProto::Tensor& proto, const std::string& name, Symbols* symbols,
                            Symbols::Of of) {
  Type type;
  if (proto.elem_type() != onnx::TensorProto::UNDEFINED) {
    TAMIS_ASSIGN_OR_RETURN(type.dtype, ReadDType(proto.elem_type()));
  }
  if (!proto.has_shape()) return type;
  if (static_cast<size_t>(proto.shape().dim_size()) > kMaxRank) {
    return UserError("has {} dimensions; at most {} are supported", proto.shape().dim_size(), kMaxRank);
  }
  type.has_rank = true;
  Dims known;
  for (int axis = 0; axis < proto.shape().dim_size(); ++axis) {
    const auto& dim = proto.shape().dim(axis);
    if (IsUnknown(dim)) {
      type.shape.push_back(symbols->Fresh(name, axis, of));
    } else if (dim.has_dim_value()) {
      known.push_back(dim.dim_value());
      type.shape.emplace_back(dim.dim_value());
    } else {
      type.shape.push_back(symbols->FromParam(dim.dim_param(), of));
    }
  }
  TAMIS_RETURN_IF_ERROR(CheckDims(known));
  return type;
}

}  // namespace

Result<Type> ReadType(const onnx::TypeProto& proto, const std::string& name, Symbols* symbols, Symbols::Of of) {
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType:
      return ReadTensorType(proto.tensor_type(), name, symbols, of);
    case onnx::TypeProto::kSequenceType:
    case onnx::TypeProto::kOptionalType: {
      const bool sequence = proto.value_case() == onnx::TypeProto::kSequenceType;
      Type type;
      type.kind = sequence ? Type::Kind::kSequence : Type::Kind::kOptional;
      const auto& inner = sequence ? proto.sequence_type().elem_type() : proto.optional_type().elem_type();
      TAMIS_ASSIGN_OR_RETURN(Type element, ReadType(inner, name, symbols, of));
      type.element = std::make_shared<const Type>(std::move(element));
      return type;
    }
    case onnx::TypeProto::kMapType:
      return UserError("values of type map are not supported");
    case onnx::TypeProto::kSparseTensorType:
      return UserError("values of type sparse tensor are not supported");
    case onnx::TypeProto::kOpaqueType:
      return UserError("values of an opaque type are not supported");
    case onnx::TypeProto::VALUE_NOT_SET:
      break;
  }
  return Type{};
}

Status CheckShape(const Shape& shape) {
  Dims known;
  for (const Dim& dim : shape) {
    if (const auto constant = dim.Constant()) known.push_back(*constant);
  }
  const Status status = CheckDims(known);
  return status.ok() ? status : UserError("{} (of {})", status.message(), ToString(shape));
}

void WriteType(const Type& type, onnx::TypeProto* proto) {
  if (!type.IsTensor()) {
    auto* element = type.kind == Type::Kind::kSequence ? proto->mutable_sequence_type()->mutable_elem_type()
                                                       : proto->mutable_optional_type()->mutable_elem_type();
    if (type.element) WriteType(*type.element, element);
    return;
  }
  auto* tensor = proto->mutable_tensor_type();
  tensor->set_elem_type(static_cast<int32_t>(type.dtype));
  if (!type.has_rank) return;
  auto* shape = tensor->mutable_shape();
  for (const Dim& dim : type.shape) {
    auto* out = shape->add_dim();
    if (const auto constant = dim.Constant()) {
      out->set_dim_value(*constant);
    } else {
      out->set_dim_param(dim.ToString());
    }
  }
}

}  // namespace tamis
