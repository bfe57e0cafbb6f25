#include "src/ops/op_doubles.h"

#include "src/ops/op_elementwise.h"

namespace tamis {

std::vector<double> ReadDoubles(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.NumElements()));
  if (!values.empty()) WideReader(tensor, tensor.dims()).Read<double>(0, values);
  return values;
}

void WriteDoubles(Tensor& tensor, const std::vector<double>& values) {
  if (!values.empty()) WriteWide<double>(tensor, 0, values);
}

}  // namespace tamis
