// NumPy's .npy files (format versions 1 to 3; https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <string>

#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// Little-endian booleans, integers and floats; Fortran order is converted to C order. Error (kUser) naming the file for
// anything else: pickled objects, big-endian data, a size that disagrees with the header.
Result<Tensor> ReadNpy(const std::string& path);
// The same, but the elements stay in the file, which must not shrink meanwhile, and are not to be written to.
Result<Tensor> MapNpy(const std::string& path);
Result<Tensor> ParseNpy(const void* data, size_t bytes);
// What WriteNpy made f32 because NumPy has no bf16, as it was: f32 all of whose values are bf16's, where that is
// `wanted`. Anything else comes back unchanged.
Tensor AsWritten(Tensor read, DType wanted);
// bf16 is written as f32, which NumPy can read. Writes to a temporary name and renames.
Status WriteNpy(const std::string& path, const Tensor& tensor);

}  // namespace tamis
