// Tactics that use fewer threads than a session has: "norm_avx512@1" is the kernel norm_avx512, prepared for one
// thread. Threads wait for one another for microseconds after every node, and what one thread wrote lies in its core's
// cache: a small node may be faster on fewer of them.
#pragma once

#include <string>
#include <string_view>

namespace tamis {

struct KernelOnThreads {
  std::string_view kernel;
  int threads = 0;  // 0: as many as there are
};

std::string OnThreads(std::string_view kernel, int threads);
// The name as it is where it says nothing of threads, or no number above zero.
KernelOnThreads SplitThreads(std::string_view tactic);

}  // namespace tamis
