#include "src/base/large_tensor.h"

#include <sys/mman.h>

#include <new>

namespace tamis {

Tensor LargeTensor(DType dtype, Dims dims) {
  constexpr size_t kMapped = size_t{1} << 20;
  const int64_t count = NumElements(dims);
  const size_t bytes = count < 0 ? 0 : ByteSize(dtype, static_cast<size_t>(count));
  if (dtype == DType::kString || bytes < kMapped) return Tensor(dtype, std::move(dims));
  const size_t mapped = bytes + 64;  // kernels may load, not store, one vector past the end
  void* memory = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  std::shared_ptr<const void> owner(memory, [mapped](const void* p) { ::munmap(const_cast<void*>(p), mapped); });
  return Tensor::View(dtype, std::move(dims), memory, std::move(owner));
}

}  // namespace tamis
