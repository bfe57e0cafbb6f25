// What the oneDNN kernels share: engine, epilogue as post-operations, packed weights, and a PreparedKernel that
// executes one primitive for each part of the work.
//
// oneDNN never gets threads of its own: it would fight with the thread pool. Every call into it runs under
// SingleThread, and the work is split into primitives by the kernels. Its exceptions end in Guard.
#pragma once

#include <dnnl.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/kernels/kernel.h"
#include "src/ops/op_tamis.h"

namespace tamis::onednn {

// The engine of the process.
const dnnl::engine& Engine();
dnnl::memory::data_type DataType(DType dtype);  // f32 and bf16 only

// While it lives, OpenMP regions that this thread enters run on this thread alone.
class SingleThread {
 public:
  SingleThread();
  ~SingleThread();
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int before_;
};

// Calls f under SingleThread; a dnnl::error becomes an internal error that says what was attempted.
template <class F>
Status Guard(const char* what, F&& f) {
  try {
    const SingleThread single;
    f();
    return {};
  } catch (const dnnl::error& error) {
    return InternalError("oneDNN could not {}: {}", what, error.message);
  }
}

// Residual and activation of an epilogue as post-operations, the scratchpad left to the caller. `residual` is the
// descriptor of that operand, used only if the epilogue has one; nullopt: the residual is what y holds before.
dnnl::primitive_attr EpilogueAttributes(const Epilogue& epilogue, const std::optional<dnnl::memory::desc>& residual);

// `plain` reordered from descriptor `from` to `to`, shared through the cache. `part` says which slice of the weight
// `plain` is. Two cores that read one copy may wait for each other (Zen 1: 768 x 768 in f32 for 64 rows each takes 2.9
// ms, 2.1 with a copy each), which only times taken with the copy shared tell.
std::shared_ptr<const PackedBytes> PackWeight(PackCache& cache, uint64_t hash, const std::string& part,
                                              const dnnl::memory::desc& from, const void* plain,
                                              const dnnl::memory::desc& to);

// Where the bytes of an argument come from at Run.
enum class Source : uint8_t { kInput, kOutput, kWeight, kScratch };
struct Argument {
  int id = 0;  // DNNL_ARG_*
  dnnl::memory::desc desc;
  Source source = Source::kInput;
  size_t index = 0;   // of the node's input or output
  size_t offset = 0;  // bytes
};
struct Part {
  dnnl::primitive primitive;
  std::vector<Argument> arguments;
  std::shared_ptr<const PackedBytes> weight;
  // Copied to the output before the primitive runs, from and to the same offset: an input that it then adds to.
  size_t copy_from = 0;  // index of the input
  size_t copy_offset = 0;
  size_t copy_bytes = 0;
  std::function<void(void* y)> finish;  // called with output 0 behind the primitive; may be none
};

// Runs its parts side by side. Argument objects are not thread-safe in oneDNN, so each concurrent Run borrows a set.
class PartsKernel : public PreparedKernel {
 public:
  explicit PartsKernel(std::vector<Part> parts);
  ~PartsKernel() override;
  size_t WorkspaceBytes() const override { return workspace_bytes_; }
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override;

 private:
  struct Bindings;
  std::unique_ptr<Bindings> Borrow() const;

  std::vector<Part> parts_;
  size_t workspace_bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Bindings>> idle_;
};

}  // namespace tamis::onednn
