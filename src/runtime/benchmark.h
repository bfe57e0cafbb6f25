// Latency and throughput of sessions, several of them interleaved in one run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tamis/session.h"

namespace tamis {

struct BenchmarkOptions {
  int streams = 1;  // requests in flight at once
  double warmup_seconds = 0.5;
  double seconds = 3;  // a session
  std::vector<double> percentiles = {50, 90, 99};
};

struct BenchmarkResult {
  std::vector<double> percentiles;                // seconds, in the order asked for
  double mean = 0, min = 0, max = 0, median = 0;  // seconds
  double requests_per_second = 0;
  int64_t requests = 0;
  std::vector<double> latencies;  // seconds, ascending
};

struct BenchmarkCase {
  std::shared_ptr<Session> session;
  NamedTensors inputs;
};

// Runs the cases in turns of about a tenth of their time each, so that a slow phase of the machine meets all of them.
// The first error of any request ends the run.
Result<std::vector<BenchmarkResult>> Benchmark(const std::vector<BenchmarkCase>& cases,
                                               const BenchmarkOptions& options);

// Seeded inputs for specs whose dynamic dimensions are bound by symbol: floats of a standard normal, integers and
// booleans 1 (a valid index and an open mask in every network we know). Error if a symbol has no value.
Result<NamedTensors> RandomInputs(const std::vector<TensorSpec>& specs, const std::map<std::string, int64_t>& binding,
                                  uint64_t seed);
// The same in the order of the specs, as programs take them; tensors that RandomInputs leaves out are undefined.
Result<std::vector<Tensor>> RandomOperands(const std::vector<TensorSpec>& specs,
                                           const std::map<std::string, int64_t>& binding, uint64_t seed);
// Whether all are tensors of a known rank: no sequences, and nothing that may be missing.
bool AreTensors(const std::vector<TensorSpec>& specs);

}  // namespace tamis
