// Tensors as JSON arrays.
#pragma once

#include <simdjson.h>

#include <string>

#include "src/base/json_writer.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// False for types the protocol sends as binary only (FP16, BF16) and for those it does not have.
bool HasJsonForm(DType dtype);
// `data` flat in row-major order, or nested as `dims` say. Every element must be in the range of `dtype`, which has a
// JSON form; `dims` are positive and their product fits. Memory is taken only once `data` is known to be as long.
Result<Tensor> TensorFromJson(simdjson::dom::element data, DType dtype, const Dims& dims);
// Null if JSON can hold the elements of a type with a JSON form; else what it can't: strings that are not UTF-8,
// infinities. A NaN it can, as null.
const char* BeyondJson(const Tensor& tensor);
// Flat, in row-major order.
void TensorToJson(const Tensor& tensor, JsonWriter* json);

}  // namespace tamis
