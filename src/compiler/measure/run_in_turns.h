// Whole runs of several programs in turns, so that a slow phase of the machine meets all of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/runtime/program.h"

namespace tamis {

using KernelsByNode = std::map<std::string, std::string>;
// A program of the specialised graph with these kernels and blocks; nodes that are not named get what the cost model
// chooses. Programs that share arenas run in the same memory, so that where it lies is no one's luck.
Result<std::unique_ptr<Program>> ProgramWith(Graph concrete, const KernelsByNode& kernels, int threads,
                                             PackCache& cache, std::vector<BlockSpec> blocks = {},
                                             std::shared_ptr<ArenaPool> arenas = nullptr,
                                             MicroBatchSpec micro_batches = {});

// Rounds go on until `seconds` are over, but there are at least and at most so many. The first is a warm-up. Where
// rounds take kLongRounds together, kLeastRounds are enough: a run of seconds is an average by itself.
inline constexpr double kLongRounds = 8;  // seconds
inline constexpr int kLeastRounds = 3;
struct Turns {
  double seconds = 0.5;
  int least = 5, most = 200;
};
// How many runs at a point, as its kernels were timed, a user is let wait for to learn whether other forms of the
// network gain: kLongTrial.
inline constexpr double kLongTrial = 30;  // seconds
int RunsToSpare(const PlanPoint& point);
std::string TooLongToTry(const PlanPoint& point, int runs);  // a reason
// Calls `round` with 0, 1, ... as `turns` say, until it fails. While `enough` says no, there are more rounds, for up to
// kPatience times as long.
inline constexpr double kPatience = 4;
Status ForRounds(const Turns& turns, const std::function<Status(int)>& round, const std::function<bool()>& enough = {});
// Seconds of each program's runs, ascending: of those from which the system took no core, or where these stay too few
// on a machine with other work, of all (TimeSamples).
Result<std::vector<std::vector<double>>> RunInTurns(std::span<const Program* const> programs,
                                                    std::span<const Tensor> inputs, ThreadPool& pool,
                                                    const Turns& turns);

// Seconds of each program's nodes inside its whole runs, by the name of the first output, in the order of the runs.
struct ProgramRun {
  const Program* program;
  std::span<const Tensor> inputs;
};
using NodeSeconds = std::map<std::string, std::vector<double>>;
Result<std::vector<NodeSeconds>> NodesInTurns(std::span<const ProgramRun> runs, ThreadPool& pool, const Turns& turns);

// A program's nodes inside its whole runs, each its lowest decile, and their sum: on a machine with other work hardly
// any whole run is left alone, and most nodes are in some.
struct ProfiledRuns {
  double seconds = 0;
  std::map<std::string, double> nodes;  // by the name of the first output
};
using ProfiledTurns = std::vector<ProfiledRuns>;
Result<ProfiledTurns> ProfileInTurns(std::span<const Program* const> programs, std::span<const Tensor> inputs,
                                     ThreadPool& pool, const Turns& turns);

}  // namespace tamis
