// Element types as DLPack names them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "tamis/dtype.h"

namespace tamis::python {

// kUndefined where no ONNX type stands for it.
DType DTypeOfDlpack(const nanobind::dlpack::dtype& dtype);
// Of no bits where DLPack has no name for it.
nanobind::dlpack::dtype DlpackOf(DType dtype);

}  // namespace tamis::python
