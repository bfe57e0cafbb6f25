// ScatterElements, Scatter, ScatterND and TensorScatter: a copy of the data, then runs of it replaced by or reduced
// with updates. The copy is made by all threads, or left out where the result lies where the data does.
//
// An operator brings a struct of arguments with
//   int64_t Parts()                                    independent parts: threads share them, since targets of one may
//                                                      repeat and are written in order
//   void ForEachTarget(indices, begin, end, f)         f(i, to): update run i goes to element `to` of the data
//   Status Check(indices)                              refuses what does not lie in the data
#pragma once

#include <algorithm>
#include <cstring>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"

namespace tamis {

enum class Reduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };

struct ScatterPlan {
  Reduction reduction = Reduction::kNone;
  DType dtype = DType::kUndefined;
  int64_t elements = 0;  // of the data
  int64_t updates = 0;   // runs
  int64_t run = 1;       // elements of one
};

// The dtypes that move are 1, 2, 4 and 8 bytes; those that reduce are f32, f64 and integers.
Status CheckScatter(const Problem& problem);
ScatterPlan MakeScatterPlan(const Problem& problem, int64_t updates, int64_t run);
void CopyData(const ScatterPlan& plan, const void* data, void* out, int threads, ThreadPool& pool);

template <class T>
T ReduceInto(Reduction reduction, T a, T b) {
  switch (reduction) {
    case Reduction::kAdd:
      if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
      return static_cast<T>(a + b);
    case Reduction::kMul:
      if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
      return static_cast<T>(a * b);
    case Reduction::kMax:
      return std::max(a, b);
    case Reduction::kMin:
      return std::min(a, b);
    case Reduction::kNone:
      break;
  }
  return b;
}

template <class Args>
class Scatter : public PreparedKernel {
 public:
  Scatter(const Args& args, const ScatterPlan& plan, int threads) : args_(args), plan_(plan), threads_(threads) {}

  Status Check(std::span<const void* const> inputs) const override {
    return plan_.updates == 0 ? Status() : args_.Check(Indices(inputs));
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* /*workspace*/,
           ThreadPool& pool) const override {
    if (inputs[0] != outputs[0]) CopyData(plan_, inputs[0], outputs[0], threads_, pool);
    if (plan_.updates == 0) return;
    const int64_t parts_there = args_.Parts();
    const int64_t grain = GrainFor(plan_.updates * plan_.run / std::max<int64_t>(parts_there, 1), 16384);
    const auto parts = static_cast<int>(std::clamp<int64_t>(parts_there / grain, 1, std::max(threads_, 1)));
    const auto apply = [&](int part) {
      Apply(inputs, outputs[0], parts_there * part / parts, parts_there * (part + 1) / parts);
    };
    pool.Run(parts, [&apply](int part) { apply(part); });
  }

 private:
  static const void* Indices(std::span<const void* const> inputs) {
    return Args::kIndices < inputs.size() ? inputs[Args::kIndices] : nullptr;
  }

  void Apply(std::span<const void* const> inputs, void* out, int64_t begin, int64_t end) const {
    const void *indices = Indices(inputs), *updates = inputs[args_.kUpdates];
    if (plan_.reduction != Reduction::kNone) {
      WithNumber(plan_.dtype, [&]<class T>(T) {
        const T* from = static_cast<const T*>(updates);
        args_.ForEachTarget(indices, begin, end, [&](int64_t i, int64_t at) {
          T* to = static_cast<T*>(out) + at;
          for (int64_t j = 0; j < plan_.run; ++j) to[j] = ReduceInto(plan_.reduction, to[j], from[i * plan_.run + j]);
        });
      });
      return;
    }
    switch (BitSize(plan_.dtype) / 8) {
      case 1:
        return Move<uint8_t>(indices, updates, out, begin, end);
      case 2:
        return Move<uint16_t>(indices, updates, out, begin, end);
      case 4:
        return Move<uint32_t>(indices, updates, out, begin, end);
      default:
        return Move<uint64_t>(indices, updates, out, begin, end);
    }
  }

  template <class T>
  void Move(const void* indices, const void* updates, void* out, int64_t begin, int64_t end) const {
    const T* from = static_cast<const T*>(updates);
    T* to = static_cast<T*>(out);
    if (plan_.run == 1) {
      args_.ForEachTarget(indices, begin, end, [&](int64_t i, int64_t at) { to[at] = from[i]; });
      return;
    }
    const auto bytes = static_cast<size_t>(plan_.run) * sizeof(T);
    args_.ForEachTarget(indices, begin, end,
                        [&](int64_t i, int64_t at) { std::memcpy(to + at, from + i * plan_.run, bytes); });
  }

  Args args_;
  ScatterPlan plan_;
  int threads_;
};

}  // namespace tamis
