// Times and checks kernels on one problem. Runs inside the worker process; it may crash there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/kernels/kernel.h"

namespace tamis {

struct TimedKernel {
  std::string kernel;
  double seconds = 0;   // median, RoundedSeconds; 0 if struck out
  std::string reason;   // why it was struck out
  double spread = 0;    // distance of the quartiles over the median, the noise of the measurement; see time_samples.h
  int64_t samples = 0;  // runs that were timed and count
};

// To nine digits, as text holds them: a time that was read from the cache equals the one that was written.
double RoundedSeconds(double seconds);

struct TimingOptions {
  double seconds_per_problem = 0.06;  // spread over all kernels; up to four times that on a busy machine, see below
  int max_rounds = 60;
  uint64_t workspace_limit = 0;  // of kernels of a GPU, in bytes; 0: none
};

// Checks every kernel against the first one that is not struck out, and that one against the reference evaluation where
// the reference is cheap (below 2^27 multiplies); then times all survivors interleaved, median of many rounds (of three
// to six where the first takes longer than seconds_per_problem). Packed weights are rotated over several copies so that
// they come from beyond the L2 cache, as they do inside a network. `begin` is called with a kernel's name before its
// code runs for the first time.
std::vector<TimedKernel> TimeKernels(const Problem& problem, const std::vector<std::string>& kernels, ThreadPool& pool,
                                     const TimingOptions& options,
                                     const std::function<void(const std::string&)>& begin);

}  // namespace tamis
