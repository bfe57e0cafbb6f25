// Runs a loop body that was compiled for one ISA over a range of items, on several threads when it is worth it.
//
// The pattern of most families: <family>.h declares a plain struct of arguments and a Body type; <family>.cc checks and
// prepares problems, compiled for every x86-64; <isa>/*.cc only contribute bodies and a KernelDef.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "src/kernels/kernel.h"

namespace tamis {

// Computes items [begin, end). `scratch` is 64-byte aligned and the caller's alone; null if none was asked for.
template <class Args>
using RangeBody = void (*)(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t end, std::byte* scratch);

template <class Args>
class RangeKernel : public PreparedKernel {
 public:
  // No thread gets fewer than `grain` items. `scratch` bytes are reserved for each.
  RangeKernel(Args args, RangeBody<Args> body, int64_t count, int64_t grain, int threads, size_t scratch = 0)
      : args_(std::move(args)),
        body_(body),
        count_(count),
        parts_(static_cast<int>(std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, std::max(threads, 1)))),
        scratch_((scratch + 63) / 64 * 64) {}

  size_t WorkspaceBytes() const override { return scratch_ * static_cast<size_t>(parts_); }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    if (count_ == 0) return;
    const auto part_work = [&](int part) {
      body_(args_, inputs.data(), outputs.data(), count_ * part / parts_, count_ * (part + 1) / parts_,
            workspace + scratch_ * static_cast<size_t>(part));
    };
    // One reference fits std::function's own storage: nothing is allocated.
    pool.Run(parts_, [&part_work](int part) { part_work(part); });
  }

 protected:
  const Args& args() const { return args_; }

 private:
  Args args_;
  RangeBody<Args> body_;
  int64_t count_;
  int parts_;
  size_t scratch_;
};

// How many items of so many vector operations each are worth waking a thread for: about 10 us of work.
inline int64_t GrainFor(int64_t operations_per_item, int64_t operations = 65536) {
  return std::max<int64_t>(1, operations / std::max<int64_t>(operations_per_item, 1));
}

// Calls f(item, part) for all items, parts side by side on at most so many threads; none gets fewer than `grain` items.
template <class F>
void ForItems(ThreadPool& pool, int threads, int64_t count, int64_t grain, const F& f) {
  const auto parts = static_cast<int>(std::clamp<int64_t>(count / grain, 1, threads));
  const auto part_work = [&](int part) {
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i) f(i, part);
  };
  pool.Run(parts, [&part_work](int part) { part_work(part); });
}

}  // namespace tamis
