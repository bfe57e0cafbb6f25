#include "src/compiler/measure/run_in_turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "src/base/median.h"
#include "src/tuner/interruptions.h"
#include "src/tuner/time_samples.h"

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

int RunsToSpare(const PlanPoint& point) {
  constexpr double kMost = 1e6;
  return static_cast<int>(std::min(kMost, kLongTrial / point.Seconds()));  // all of them where nothing was timed
}

std::string TooLongToTry(const PlanPoint& point, int runs) {
  return fmt::format("not measured: one run takes {:.1f} s, and it would take {} at least", point.Seconds(), runs);
}

Status ForRounds(const Turns& turns, const std::function<Status(int)>& round, const std::function<bool()>& enough) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto goes_on = [&](int rounds) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (rounds < turns.least) return rounds < kLeastRounds || seconds < kLongRounds;
    if (rounds >= turns.most || seconds >= kPatience * turns.seconds) return false;
    return seconds < turns.seconds || (enough && !enough());
  };
  for (int i = 0; goes_on(i); ++i) TAMIS_RETURN_IF_ERROR(round(i));
  return {};
}

Result<std::vector<std::vector<double>>> RunInTurns(std::span<const Program* const> programs,
                                                    std::span<const Tensor> inputs, ThreadPool& pool,
                                                    const Turns& turns) {
  using Clock = std::chrono::steady_clock;
  std::vector<TimeSamples> runs(programs.size());
  Interruptions interruptions;
  const auto round = [&](int number) -> Status {
    for (size_t i = 0; i < programs.size(); ++i) {
      interruptions.Begin();
      const auto start = Clock::now();
      TAMIS_RETURN_IF_ERROR(programs[i]->Run(inputs, pool).status());
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
      if (number > 0) runs[i].Add(seconds, interruptions.Disturbed(seconds));
    }
    return {};
  };
  TAMIS_RETURN_IF_ERROR(ForRounds(
      turns, round, [&] { return std::all_of(runs.begin(), runs.end(), std::mem_fn(&TimeSamples::Enough)); }));
  std::vector<std::vector<double>> times;
  for (const TimeSamples& of_program : runs) times.push_back(of_program.Counted());
  return times;
}

Result<std::vector<NodeSeconds>> NodesInTurns(std::span<const ProgramRun> runs, ThreadPool& pool, const Turns& turns) {
  std::vector<NodeSeconds> seconds(runs.size());
  TAMIS_RETURN_IF_ERROR(ForRounds(turns, [&](int round) -> Status {
    for (size_t i = 0; i < runs.size(); ++i) {
      TAMIS_ASSIGN_OR_RETURN(const auto nodes, runs[i].program->Profile(runs[i].inputs, 1, pool));
      if (round == 0) continue;
      for (const Session::NodeTime& node : nodes) seconds[i][node.name].push_back(node.seconds);
    }
    return {};
  }));
  return seconds;
}

Result<ProfiledTurns> ProfileInTurns(std::span<const Program* const> programs, std::span<const Tensor> inputs,
                                     ThreadPool& pool, const Turns& turns) {
  std::vector<ProgramRun> runs;
  for (const Program* program : programs) runs.push_back({program, inputs});
  TAMIS_ASSIGN_OR_RETURN(auto nodes, NodesInTurns(runs, pool, turns));
  ProfiledTurns profiled(runs.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    for (auto& [node, times] : nodes[i]) {
      const double seconds = Quantile(std::move(times), 0.1);
      profiled[i].nodes[node] = seconds;
      profiled[i].seconds += seconds;
    }
  }
  return profiled;
}

}  // namespace tamis
