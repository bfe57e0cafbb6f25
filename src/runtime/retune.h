// Tuning while a session runs: the tamis program, started as a process of its own, times the kernels of an engine on
// this machine and writes its plans. The runtime links no tuner.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "src/engine/engine.h"

namespace tamis {

struct RetuneRequest {
  std::string engine_path;
  std::string precision;  // of the variant to tune
  int threads = 0;
  std::string program;     // SessionOptions::tamis_program
  std::string plan_path;   // where the plans go; kept for the next start
  bool background = true;  // the process yields to whoever else wants the cores
};

// "CACHE/plans/ENGINE-DEVICE-THREADS.tamis"; empty if there is no cache folder.
std::string PlanPath(uint64_t engine_content, const std::string& device, int threads);

class Retuner {
 public:
  // Called once, on a thread of the retuner's, with the plans or with what went wrong.
  using Done = std::function<void(Result<std::vector<Plan>>)>;
  Retuner(RetuneRequest request, Done done);
  // Ends the process if it still runs; `done` is not called any more when this returns.
  ~Retuner();
  Retuner(const Retuner&) = delete;
  Retuner& operator=(const Retuner&) = delete;
  void Wait();

 private:
  Result<std::vector<Plan>> Work();

  RetuneRequest request_;
  std::mutex mutex_;  // guards what follows
  int pid_ = -1;      // while the process has not been waited for
  bool stopping_ = false;
  std::mutex join_mutex_;
  std::thread thread_;
};

}  // namespace tamis
