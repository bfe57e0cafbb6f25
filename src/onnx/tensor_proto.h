// TensorProto <-> Tensor.
#pragma once

#include <onnx-ml.pb.h>

#include <string>

#include "src/onnx/external_data.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// Reads raw_data, typed fields or external data into a new tensor and frees `proto`'s raw_data, so that the weights are
// not held twice. Every dtype but string. Memory is allocated only after the data was found to have the size that dtype
// and dims need. `file_error`: see ExternalData::Read.
Result<Tensor> ReadTensor(onnx::TensorProto* proto, ExternalData* external, bool* file_error);
// The same, where `raw_data` (uint8[bytes]) was taken out of `proto` and becomes the tensor's; undefined: it was not.
Result<Tensor> ReadTensor(onnx::TensorProto* proto, Tensor raw_data, ExternalData* external, bool* file_error);

// Expands to a dense tensor. Refused when it would become more than 1024 times as large as what the file stores.
Result<Tensor> ReadSparseTensor(onnx::SparseTensorProto* proto, ExternalData* external, bool* file_error);

// Everything but the elements.
void WriteTensorHeader(const std::string& name, const Tensor& tensor, onnx::TensorProto* proto);
// With the elements as raw_data, little-endian.
// The elements alone, inside the file.
void WriteElements(const Tensor& tensor, onnx::TensorProto* proto);
void WriteTensor(const std::string& name, const Tensor& tensor, onnx::TensorProto* proto);

}  // namespace tamis
