#include "src/compiler/measure/run_in_turns.h"

#include <algorithm>
#include <chrono>

namespace tamis {

Result<std::unique_ptr<Program>> ProgramWith(Graph concrete, const KernelsByNode& kernels, int threads,
                                             PackCache& cache, std::vector<BlockSpec> blocks,
                                             std::shared_ptr<ArenaPool> arenas, MicroBatchSpec micro_batches) {
  ProgramOptions options;
  options.threads = threads;
  options.wish = [&](const std::string& node) {
    const auto found = kernels.find(node);
    return found == kernels.end() ? std::string() : found->second;
  };
  options.blocks = std::move(blocks);
  options.arenas = std::move(arenas);
  options.micro_batches = std::move(micro_batches);
  return Program::Make(std::move(concrete), options, cache);
}

Result<std::vector<std::vector<double>>> RunInTurns(std::span<const Program* const> programs,
                                                    std::span<const Tensor> inputs, ThreadPool& pool,
                                                    const Turns& turns) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> times(programs.size());
  const auto deadline = Clock::now() + std::chrono::duration<double>(turns.seconds);
  for (int round = 0; round < turns.least || (round < turns.most && Clock::now() < deadline); ++round) {
    for (size_t i = 0; i < programs.size(); ++i) {
      const auto start = Clock::now();
      TAMIS_RETURN_IF_ERROR(programs[i]->Run(inputs, pool).status());
      if (round > 0) times[i].push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
  }
  for (auto& of_program : times) std::sort(of_program.begin(), of_program.end());
  return times;
}

Result<ProfiledTurns> ProfileInTurns(std::span<const Program* const> programs, std::span<const Tensor> inputs,
                                     ThreadPool& pool, const Turns& turns) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::map<std::string, std::vector<double>>> nodes(programs.size());
  const auto deadline = Clock::now() + std::chrono::duration<double>(turns.seconds);
  for (int round = 0; round < turns.least || (round < turns.most && Clock::now() < deadline); ++round) {
    for (size_t i = 0; i < programs.size(); ++i) {
      TAMIS_ASSIGN_OR_RETURN(const auto times, programs[i]->Profile(inputs, 1, pool));
      if (round == 0) continue;
      for (const Session::NodeTime& time : times) nodes[i][time.name].push_back(time.seconds);
    }
  }
  ProfiledTurns profiled(programs.size());
  for (size_t i = 0; i < programs.size(); ++i) {
    for (auto& [node, times] : nodes[i]) {
      std::sort(times.begin(), times.end());
      const double seconds = times[times.size() / 10];
      profiled[i].nodes[node] = seconds;
      profiled[i].seconds += seconds;
    }
  }
  return profiled;
}

}  // namespace tamis
