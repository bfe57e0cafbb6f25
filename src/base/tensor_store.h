// Tensors on disk that are addressed as if they were in memory: activations of many samples, the samples themselves,
// and a large network's weights.
//
// Their elements lie in a file without a name, which is gone when the last of them is, in $TMPDIR or /var/tmp. Pages
// that are touched count as this process's memory until Rest gives them back; what was written stays in the system's
// cache for as long as that has room, so a pass over tensors that fit there costs little more than a copy.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "src/base/file_bytes.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// Thread-safe.
class TensorStore {
 public:
  // Error (kRuntime) naming the folder where no file can be made.
  static Result<std::shared_ptr<TensorStore>> Make();
  ~TensorStore();
  TensorStore(const TensorStore&) = delete;
  TensorStore& operator=(const TensorStore&) = delete;

  // The same elements on disk, at rest. Small tensors, strings, and what is in a store already come back as they are.
  // The disk's space is taken at once: error (kRuntime) where it is full, which says how much was wanted and where.
  Result<Tensor> Keep(const Tensor& tensor);
  Result<std::map<std::string, Tensor>> Keep(std::map<std::string, Tensor> tensors);

  // Whether the elements lie in a store or a mapped file.
  static bool Holds(const Tensor& tensor);
  // Gives the pages of a tensor in any store, or of a mapped file (MapFile), back to the system until it is read again.
  // Others, and tensors in memory, are left alone.
  static void Rest(const Tensor& tensor);
  static void Rest(const std::map<std::string, Tensor>& tensors);

  // Bytes that another store could take at most, by the free space of the disk.
  static size_t FreeBytes();
  static constexpr size_t kSmall = size_t{64} << 10;

 private:
  class File;
  explicit TensorStore(std::shared_ptr<File> file) : file_(std::move(file)) {}
  std::shared_ptr<File> file_;  // kept by its tensors as well
};

// A file mapped to be read (OpenFile), whose pages Rest on a view of it sends away. It must not shrink meanwhile.
Result<FileBytes> MapFile(const std::string& path);

}  // namespace tamis
