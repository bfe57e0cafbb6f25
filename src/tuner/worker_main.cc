#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>

#include "src/tuner/problem_text.h"
#include "src/tuner/time_cuda_kernels.h"
#include "src/tuner/worker.h"

namespace tamis {
namespace {

// Kept open from one request to the next.
struct Devices {
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<const CudaDevice> cuda;
};

Result<std::vector<TimedKernel>> Time(const Problem& problem, const std::vector<std::string>& kernels, int gpu,
                                      uint64_t workspace_limit, Devices* devices) {
  const auto begin = [](const std::string& kernel) {
    fmt::print("begin {}\n", kernel);
    std::fflush(stdout);
  };
  if (gpu != TuneWorker::kCpu) {
    if (devices->cuda == nullptr || devices->cuda->info().ordinal != gpu) {
      TAMIS_ASSIGN_OR_RETURN(devices->cuda, CudaDevice::Open(gpu));
    }
    TimingOptions options;
    options.workspace_limit = workspace_limit;
    return TimeCudaKernels(problem, kernels, *devices->cuda, options, begin);
  }
  std::unique_ptr<ThreadPool>& pool = devices->pool;
  if (pool == nullptr || pool->threads() != problem.threads) pool = std::make_unique<ThreadPool>(problem.threads);
  return TimeKernels(problem, kernels, *pool, {}, begin);
}

void Answer(const std::string& request, Devices* devices) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array names;
  simdjson::dom::element problem_text;
  int64_t gpu = TuneWorker::kCpu;
  uint64_t workspace_limit = 0;
  if (parser.parse(request).get(root) != simdjson::SUCCESS || root["kernels"].get(names) != simdjson::SUCCESS ||
      root["problem"].get(problem_text) != simdjson::SUCCESS || root["gpu"].get(gpu) != simdjson::SUCCESS ||
      root["workspace_limit"].get(workspace_limit) != simdjson::SUCCESS) {
    return;
  }
  std::vector<std::string> kernels;
  for (simdjson::dom::element name : names) kernels.emplace_back(name.get_string().value_unsafe());
  const auto owned = ProblemFromText(simdjson::minify(problem_text), 7);
  if (!owned.ok()) {
    for (const std::string& kernel : kernels) fmt::print("result {} 0 0 0 {}\n", kernel, owned.status().message());
    return;
  }
  const auto timed = [&]() -> Result<std::vector<TimedKernel>> {
    try {
      return Time((*owned)->problem, kernels, static_cast<int>(gpu), workspace_limit, devices);
    } catch (const std::bad_alloc&) {
      return RuntimeError("not enough memory to time it");
    }
  }();
  if (!timed.ok()) {
    // A GPU that failed answers nobody in this process any more. The program strikes out the kernel that it began last
    // and starts another worker for the others.
    if (gpu != TuneWorker::kCpu && devices->cuda != nullptr) std::_Exit(3);
    for (const std::string& kernel : kernels) fmt::print("result {} 0 0 0 {}\n", kernel, timed.status().message());
    return;
  }
  for (const TimedKernel& result : *timed) {
    fmt::print("result {} {:.9g} {:.4g} {} {}\n", result.kernel, result.seconds, result.spread, result.samples,
               result.reason);
  }
}

}  // namespace

int TuneWorkerMain() {
  ConfigureLibraries();
  Devices devices;
  std::string line;
  while (std::getline(std::cin, line)) {
    Answer(line, &devices);
    fmt::print("done\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace tamis
