// The worker process that times kernels, seen from the program.
//
// A candidate that crashes, hangs or answers wrongly costs the candidate, not the build: the worker is started with
// posix_spawn, kept running, killed when it is silent for too long and started again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/tuner/time_kernels.h"

namespace tamis {

// Protocol, one line each way over pipes. Request: {"gpu":ORDINAL or
// -1,"workspace_limit":BYTES,"kernels":[...],"problem":{...}}. Answers: "begin NAME" before a kernel runs first, then
// one "result NAME SECONDS SPREAD SAMPLES REASON" a kernel, then "done".
class TuneWorker {
 public:
  // `program`: path of tamis-tune-worker; empty: $TAMIS_TUNE_WORKER, or where ProgramPath finds it.
  explicit TuneWorker(std::string program = {});
  ~TuneWorker();

  // Error of kind kRuntime if the worker can't be started at all.
  // `gpu`: its ordinal, or kCpu. `workspace_limit`: as of TimingOptions.
  static constexpr int kCpu = -1;
  Result<std::vector<TimedKernel>> Time(const Problem& problem, std::vector<std::string> kernels, int gpu = kCpu,
                                        uint64_t workspace_limit = 0, double timeout_seconds = 30);

 private:
  Status Start();
  void Stop();
  // The next line without its end; nullopt at end of file or after the timeout (`timed_out` tells which).
  bool ReadLine(double timeout_seconds, std::string* line, bool* timed_out);

  std::string program_;
  int pid_ = -1;
  int to_worker_ = -1, from_worker_ = -1;
  std::string buffer_;
};

// main() of the worker: answers requests on standard input until it ends.
int TuneWorkerMain();

}  // namespace tamis
