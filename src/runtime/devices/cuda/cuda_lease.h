// A context of a CudaProgram for the time of one run.
#pragma once

#include <mutex>

#include "src/runtime/devices/cuda/cuda_program.h"

namespace tamis {

// Held by whoever enqueues kernels one by one, recorded or not. cuDNN's handle, told of a new stream, records an event
// on the one before, which another thread may be recording: the driver then ends in a segmentation fault.
inline std::mutex& EnqueuingMutex() {
  static std::mutex mutex;
  return mutex;
}

class CudaProgram::Lease {
 public:
  explicit Lease(const CudaProgram& program) : program_(program) {}
  ~Lease() {
    if (context_ != nullptr) program_.contexts_.GiveBack(std::move(context_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  // Where all are taken, or there is no memory for one more, it waits for one that another run has.
  Status Take() {
    TAMIS_ASSIGN_OR_RETURN(context_,
                           program_.contexts_.Take([this] { return program_.MakeContext(); }, IsOutOfGpuMemory));
    return {};
  }
  Context& operator*() { return *context_; }
  // After an error: nobody knows in what state it is.
  void Discard() {
    context_.reset();
    program_.contexts_.GiveBack(nullptr);
  }

 private:
  const CudaProgram& program_;
  std::unique_ptr<Context> context_;
};

}  // namespace tamis
