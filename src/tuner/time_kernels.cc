#include "src/tuner/time_kernels.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "src/kernels/kernel_threads.h"
#include "src/tuner/candidate_check.h"
#include "src/tuner/interruptions.h"
#include "src/tuner/time_samples.h"

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

// Buffers of one problem: seeded inputs, outputs to be overwritten.
//
// In a network the activations that a kernel reads were written just before, part by part by the threads, and where it
// writes lies whatever the memory held last. So inputs are written anew before a run, and outputs go to several places
// in turns: kernels that only shine on what the first-level cache already holds are not chosen for it.
struct Buffers {
  std::vector<Tensor> inputs, outputs;
  std::vector<const void*> in;
  std::vector<void*> out;

  explicit Buffers(const Problem& problem) : inputs(SeededInputs(problem)) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      in.push_back(inputs[i].Defined() ? inputs[i].raw() : nullptr);
      const bool activation = inputs[i].Defined() && problem.inputs[i].constant == nullptr;
      pristine_.push_back(activation ? inputs[i].Clone() : Tensor());
    }
    constexpr size_t kPlaces = 3;
    for (const Operand& operand : problem.outputs) {
      outputs.push_back(operand.Present() ? Tensor(operand.dtype, operand.dims) : Tensor());
      out.push_back(operand.Present() ? outputs.back().raw() : nullptr);
    }
    places_.push_back(out);
    while (places_.size() < kPlaces) {
      places_.emplace_back();
      for (const Operand& operand : problem.outputs) {
        others_.push_back(operand.Present() ? Tensor(operand.dtype, operand.dims) : Tensor());
        places_.back().push_back(operand.Present() ? others_.back().raw() : nullptr);
      }
    }
  }

  void WriteInputs(ThreadPool& pool) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!pristine_[i].Defined()) continue;
      pool.ParallelFor(static_cast<int64_t>(inputs[i].NumBytes()), 4096, [&](int64_t begin, int64_t end) {
        std::memcpy(inputs[i].raw() + begin, pristine_[i].raw() + begin, static_cast<size_t>(end - begin));
      });
    }
  }
  std::span<void* const> Place(int round) const { return places_[static_cast<size_t>(round) % places_.size()]; }
  // Where the residual of a product lies. Networks let a kernel that may write over it do so: nothing else reads it.
  std::span<void* const> OverResidual(const Problem& problem, const KernelDef& kernel) {
    constexpr size_t kResidual = 3;
    const Operand& residual = problem.input(kResidual);
    if ((kernel.in_place >> kResidual & 1U) == 0 || inputs.size() <= kResidual || !pristine_[kResidual].Defined() ||
        residual.dtype != problem.outputs[0].dtype || residual.dims != problem.outputs[0].dims) {
      return {};
    }
    over_residual_ = {inputs[kResidual].raw()};
    return over_residual_;
  }

 private:
  std::vector<Tensor> pristine_, others_;
  std::vector<std::vector<void*>> places_;
  std::vector<void*> over_residual_;
};

struct Running {
  size_t index = 0;  // in the result
  std::vector<std::unique_ptr<PreparedKernel>> copies;
  std::vector<PackCache> caches;
  std::shared_ptr<PackedBytes> workspace;
  std::span<void* const> over_residual;  // empty: results go elsewhere
  TimeSamples times;
};

size_t CopiesFor(const Problem& problem) {
  size_t weight_bytes = 0;
  for (const Operand& operand : problem.inputs) {
    if (operand.constant != nullptr) weight_bytes += operand.constant->NumBytes();
  }
  const size_t beyond = static_cast<size_t>(Cpu().l2_bytes) * 3 / 2;
  if (weight_bytes < 4096) return 1;
  return std::clamp<size_t>(beyond / weight_bytes + 1, 1, 8);
}

// Times the time that is meant, where runs are disturbed; for long runs, times that of as many as are enough.
constexpr double kPatience = 4, kPatienceWithLong = 2;

}  // namespace

double RoundedSeconds(double seconds) {
  return std::strtod(fmt::format("{:.9g}", seconds).c_str(), nullptr);
}

std::vector<TimedKernel> TimeKernels(const Problem& problem, const std::vector<std::string>& kernels, ThreadPool& pool,
                                     const TimingOptions& options,
                                     const std::function<void(const std::string&)>& begin) {
  std::vector<TimedKernel> results;
  std::vector<Running> running;
  Buffers buffers(problem);
  std::vector<Tensor> expected = CheapReference(problem, buffers.inputs);
  const size_t copies = CopiesFor(problem);
  for (const std::string& name : kernels) {
    results.push_back({name, 0, {}});
    TimedKernel& result = results.back();
    const KernelDef* kernel = FindKernel(name);
    if (kernel == nullptr) {
      result.reason = "no such kernel";
      continue;
    }
    Problem with_threads = problem;
    if (const int threads = SplitThreads(name).threads; threads > 0) with_threads.threads = threads;
    begin(name);
    Running run;
    run.index = results.size() - 1;
    run.over_residual = buffers.OverResidual(problem, *kernel);
    run.caches = std::vector<PackCache>(copies);
    Status status;
    for (size_t c = 0; c < copies && status.ok(); ++c) {
      auto prepared = kernel->prepare(with_threads, run.caches[c]);
      if (prepared.ok()) {
        run.copies.push_back(std::move(prepared).value());
      } else {
        status = prepared.status();
      }
    }
    if (status.ok()) status = run.copies[0]->Check(buffers.in);
    if (!status.ok()) {
      result.reason = status.message();
      continue;
    }
    run.workspace = std::make_shared<PackedBytes>(run.copies[0]->WorkspaceBytes() + 64);
    run.copies[0]->Run(buffers.in, buffers.out, run.workspace->data(), pool);
    if (!IsRepeatable(problem)) {
      running.push_back(std::move(run));
      continue;
    }
    if (expected.empty()) {
      for (const Tensor& output : buffers.outputs) expected.push_back(output.Defined() ? output.Clone() : Tensor());
    } else if (const double difference = Difference(buffers.outputs, expected); !(difference <= Tolerance(problem))) {
      result.reason = fmt::format("wrong result: differs by {:.3g} of the largest magnitude", difference);
      continue;
    }
    running.push_back(std::move(run));
  }
  if (running.empty()) return results;

  Interruptions interruptions;
  const auto begun = Clock::now();
  const std::chrono::duration<double> enough(options.seconds_per_problem);
  auto patience = kPatience * enough;
  size_t least = TimeSamples::kLeast;
  const auto on = [&](int round) {
    if (round < static_cast<int>(least)) return true;
    const std::chrono::duration<double> spent = Clock::now() - begun;
    if (spent < enough) return round < options.max_rounds;
    return spent < patience &&
           std::any_of(running.begin(), running.end(), [](const Running& r) { return !r.times.Enough(); });
  };
  for (int round = 0; on(round); ++round) {
    for (Running& run : running) {
      const auto& prepared = run.copies[static_cast<size_t>(round) % run.copies.size()];
      buffers.WriteInputs(pool);
      interruptions.Begin();
      const auto start = Clock::now();
      prepared->Run(buffers.in, run.over_residual.empty() ? buffers.Place(round) : run.over_residual,
                    run.workspace->data(), pool);
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
      run.times.Add(seconds, interruptions.Disturbed(seconds));
    }
    const std::chrono::duration<double> spent = Clock::now() - begun;
    if (round > 0 || spent <= enough) continue;
    for (Running& run : running) run.times.AreLong();
    least = TimeSamples::kLeastOfLong;
    patience = kPatienceWithLong * static_cast<double>(least) * spent;
  }
  for (Running& run : running) run.times.Write(&results[run.index]);
  return results;
}

}  // namespace tamis
