// Whole tensors as doubles, for references whose arithmetic is worth more than their memory.
#pragma once

#include <vector>

#include "tamis/tensor.h"

namespace tamis {

// The elements of any number or bool tensor of whole-byte elements.
std::vector<double> ReadDoubles(const Tensor& tensor);
// As many as the tensor has elements: rounded for floats, truncated and wrapped for integers.
void WriteDoubles(Tensor& tensor, const std::vector<double>& values);

}  // namespace tamis
