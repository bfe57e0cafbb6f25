// Tensors whose elements lie in a file beside the model.
#pragma once

#include <onnx-ml.pb.h>

#include <map>
#include <string>
#include <vector>

#include "src/base/file_descriptor.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

class ExternalData {
 public:
  // `folder` is where locations are relative to; empty means that the model came without one, and every read fails.
  explicit ExternalData(std::string folder) : folder_(std::move(folder)) {}

  // Fills a new tensor from the place that `proto.external_data` names. The location must lie inside the folder, also
  // after symbolic links are followed; the length must be what dtype and dims need, and is checked against the file's
  // size before memory is allocated. A model whose tensors together read one file several times over is refused.
  // Errors of the file (as opposed to the tensor's entry) come back in `file_error`, so that the caller may report
  // them once for all tensors; the result is then that same error.
  Result<Tensor> Read(const onnx::TensorProto& proto, DType dtype, const Dims& dims, bool* file_error);
  // Of the files that were opened, links followed.
  std::vector<std::string> Paths() const;

 private:
  struct File {
    Status status;
    std::string path;
    FileDescriptor descriptor;
    int64_t bytes = 0;
    int64_t left = 0;  // what may still be read
  };
  File& Open(const std::string& location);
  Status Resolve(const std::string& location, std::string* path) const;

  std::string folder_;
  std::map<std::string, File> files_;
};

}  // namespace tamis
