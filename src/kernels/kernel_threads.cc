#include "src/kernels/kernel_threads.h"

#include <fmt/core.h>

#include <charconv>

namespace tamis {

std::string OnThreads(std::string_view kernel, int threads) {
  return fmt::format("{}@{}", kernel, threads);
}

KernelOnThreads SplitThreads(std::string_view tactic) {
  const size_t at = tactic.rfind('@');
  if (at == std::string_view::npos) return {tactic};
  int threads = 0;
  const char* const end = tactic.data() + tactic.size();
  const auto [behind, error] = std::from_chars(tactic.data() + at + 1, end, threads);
  if (error != std::errc() || behind != end || threads < 1) return {tactic};
  return {tactic.substr(0, at), threads};
}

}  // namespace tamis
