#include "src/onnx/dtypes.h"

#include <onnx-ml.pb.h>

#include <algorithm>

#include "tamis/tensor.h"

namespace tamis {
namespace {

bool IsSupported(int32_t number) {
  return number == static_cast<int32_t>(DType::kString) || (number > 0 && number < 256 && BitSize(DType(number)) > 0);
}

std::string SupportedNames() {
  std::string names;
  for (int32_t number = 1; number < 256; ++number) {
    if (IsSupported(number)) names += (names.empty() ? "" : ", ") + std::string(Name(DType(number)));
  }
  return names;
}

}  // namespace

Result<DType> ReadDType(int32_t onnx_number) {
  if (IsSupported(onnx_number)) return static_cast<DType>(onnx_number);
  const std::string name = onnx::TensorProto::DataType_IsValid(onnx_number)
                               ? onnx::TensorProto::DataType_Name(onnx::TensorProto::DataType(onnx_number))
                               : fmt::format("number {}", onnx_number);
  return UserError("element type {} is not supported; supported are {}", name, SupportedNames());
}

Status CheckDims(std::span<const int64_t> dims) {
  if (dims.size() > kMaxRank) return UserError("has {} dimensions; at most {} are supported", dims.size(), kMaxRank);
  const auto negative = std::find_if(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; });
  if (negative != dims.end()) {
    return UserError("shape {} has the negative dimension {}; a dynamic dimension is written as a name (dim_param)",
                     ToString(dims), *negative);
  }
  // A dimension of 0 empties the tensor, but offsets and strides are still made of the others.
  Dims counted(dims.begin(), dims.end());
  for (int64_t& dim : counted) dim = std::max<int64_t>(dim, 1);
  const int64_t count = NumElements(counted);
  if (count < 0 || count > kMaxElements) {
    return UserError("shape {} has more elements than 2^46, the most that one tensor may have", ToString(dims));
  }
  return {};
}

}  // namespace tamis
