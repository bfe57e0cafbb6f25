// What networks take on this machine, by measured times: as the sum of their nodes, and as whole runs.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize_setting.h"
#include "src/compiler/plan/build.h"
#include "src/runtime/program.h"
#include "src/tuner/tuner.h"

namespace tamis {

// A network fused for the precision that was measured faster, and the best times of its nodes.
struct TimedNetwork {
  Graph fused;
  DType precision = DType::kFloat32;  // of the nodes that are not int8: kBFloat16 as soon as one is
  std::vector<double> seconds;        // by profile, at its opt
};

// One weight layer as whatever it may become, whatever its weight is now: best times at every profile's opt.
struct LayerTimes {
  // [pattern], seconds summed over profiles as shares of that profile's dense run; 0: no kernel computes it.
  double share[3] = {0, 0, 0};
  double seconds[3] = {0, 0, 0};  // of the profile that takes longest
  bool Gains(LayerPattern pattern) const;
};

// What a layer takes inside a whole run.
struct LayerShare {
  double share = 0;    // seconds as shares of the dense run, summed over profiles
  double seconds = 0;  // of the profile that takes longest
};

// Whole runs of a network, in turns with the dense one.
struct WholeRun {
  double relative = 0;  // time against the dense network's, mean over profiles; 0: not run as a program
  std::map<std::string, LayerShare> layers;  // by weight, each in its place among the others
};

class NetworkTimer {
 public:
  // `options` are those of the build to come: device, threads, precision, profiles, cache.
  static Result<std::unique_ptr<NetworkTimer>> Make(const Graph& dense, const BuildOptions& options);

  // `network` is not fused; its constants are what is timed, so 2:4 ones count as such. In f32 or bf16 as the build
  // options say. With kAuto in f32, but for these layers and what has no weight: they are bf16 where that is measured
  // faster, conversions counted. With no such layer everything is f32.
  Result<TimedNetwork> Time(const Graph& network, const std::set<std::string>& low_layers = {});
  // Whether layers may be bf16 at all: with kAuto, on a machine with such arithmetic.
  bool AsksForBFloat16() const { return asks_; }
  // Fused in bf16 as far as it goes, for TimeLayers; no times of its own.
  Result<TimedNetwork> InBFloat16(const Graph& network) const;
  // Every weight layer of a timed network, by weight.
  Result<std::map<std::string, LayerTimes>> TimeLayers(const TimedNetwork& network);

  // Mean over profiles of the time relative to the dense network's; every profile counts the same.
  double Relative(const TimedNetwork& network) const;
  // Of the profile that takes longest.
  double Seconds(const TimedNetwork& network) const { return network.seconds[longest_]; }
  const TimedNetwork& dense() const { return dense_; }

  // Whole runs at every profile's opt beside the dense network. A layer timed alone finds its weights in the nearest
  // cache and its inputs where it left them; here it has what the layers before it leave. Empty for what is not run as
  // one program.
  Result<WholeRun> RunBesideDense(const TimedNetwork& network, double seconds);
  // Whole runs at the opt of that profile, all networks in turns: lower quartiles, which other work on the machine
  // disturbs least, of the fastest of up to four sets of runs if the first took much longer than the sum of what its
  // kernels took. Zeros for networks that are not run as one program (data-dependent shapes, inputs that are no
  // tensors).
  Result<std::vector<double>> RunInTurns(std::span<const TimedNetwork* const> networks, double seconds_each);

  const std::vector<Profile>& profiles() const { return profiles_; }

 private:
  NetworkTimer() = default;
  Result<std::vector<Graph>> AtOpt(const Graph& fused) const;  // one a profile
  // With the fastest kernels; null for what does not run as one program.
  Result<std::unique_ptr<Program>> ProgramOf(Graph concrete, PackCache& cache);

  BuildOptions options_;
  std::vector<Profile> profiles_;
  std::unique_ptr<Tuner> tuner_;
  int threads_ = 1;
  bool asks_ = false;  // bf16 may be faster somewhere
  size_t longest_ = 0;
  TimedNetwork dense_;
};

}  // namespace tamis
