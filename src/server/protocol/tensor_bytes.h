// Tensors as bytes, as the binary extension has them: elements in row-major order, little endian; of type BYTES each
// element as its length in four bytes and the bytes of the string.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

inline constexpr size_t kTensorAlignment = 64;  // bytes, of a tensor's elements

// Whether so many bytes are a tensor's; not for strings, whose bytes tell. kUser says how many it takes.
Status CheckByteCount(size_t bytes, DType dtype, const Dims& dims);
// `dims` are positive and their product fits. Memory is taken only once `bytes` are known to be as many as that needs;
// none is where an `owner` keeps them and they lie as a tensor's have to.
Result<Tensor> TensorFromBytes(std::string_view bytes, DType dtype, const Dims& dims,
                               std::shared_ptr<const void> owner = nullptr);
size_t BytesOf(const Tensor& tensor);
void AppendBytes(const Tensor& tensor, std::string* body);

}  // namespace tamis
