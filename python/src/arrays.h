// NumPy arrays <-> tensors. Elements are shared, not copied, wherever their layout allows it.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "tamis/session.h"

namespace tamis::python {

// `dtypes` is a dict from ONNX's number of an element type to NumPy's dtype object, as tamis/_dtypes.py makes it.
void SetDTypes(nanobind::dict dtypes);

nanobind::object NumpyDType(DType dtype);

// A view of a C-contiguous array, which stays alive for as long as the tensor; other layouts are copied. Elements below
// a byte, which NumPy stores one a byte, and strings are copied too. Anything with __dlpack__ is taken as an array, and
// numbers and lists of them as NumPy takes them. Throws ValueError with `name` in its message.
Tensor TensorFromArray(nanobind::handle array, const std::string& name);
// An array that owns a handle of the tensor.
nanobind::object ArrayFromTensor(const Tensor& tensor);

// None is an empty optional, a list or tuple for what `spec` says to be a sequence is one, anything else an array.
Datum DatumFromObject(nanobind::handle value, const TensorSpec& spec);
// The other way round: None, a list, or an array.
nanobind::object ObjectFromDatum(const Datum& datum);

}  // namespace tamis::python
