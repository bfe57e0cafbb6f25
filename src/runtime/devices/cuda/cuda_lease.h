// A context of a CudaProgram for the time of one run.
#pragma once

#include "src/runtime/devices/cuda/cuda_program.h"

namespace tamis {

class CudaProgram::Lease {
 public:
  explicit Lease(const CudaProgram& program) : program_(program) {}
  ~Lease() {
    if (context_ != nullptr) GiveBack();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  // Where there is no memory for one more context, it waits for one that another run has taken.
  Status Take() {
    std::unique_lock lock(program_.mutex_);
    if (program_.free_.empty()) {
      ++program_.contexts_;
      lock.unlock();
      auto made = program_.MakeContext();
      if (made.ok()) {
        context_ = std::move(made).value();
        return {};
      }
      lock.lock();
      --program_.contexts_;
      program_.given_back_.notify_all();
      if (!IsOutOfGpuMemory(made.status())) return made.status();
      program_.given_back_.wait(lock, [&] { return !program_.free_.empty() || program_.contexts_ == 0; });
      if (program_.free_.empty()) return made.status();
    }
    context_ = std::move(program_.free_.back());
    program_.free_.pop_back();
    return {};
  }
  Context& operator*() { return *context_; }
  // After an error: nobody knows in what state it is.
  void Discard() {
    context_.reset();
    GiveBack();
  }

 private:
  void GiveBack() {
    {
      std::lock_guard lock(program_.mutex_);
      if (context_ != nullptr) {
        program_.free_.push_back(std::move(context_));
      } else {
        --program_.contexts_;
      }
    }
    // All: that none is left to wait for is news to everybody.
    program_.given_back_.notify_all();
  }
  const CudaProgram& program_;
  std::unique_ptr<Context> context_;
};

}  // namespace tamis
