#include <simdjson.h>

#include <cstdio>
#include <iostream>

#include "src/tuner/problem_text.h"
#include "src/tuner/worker.h"

namespace tamis {
namespace {

void Answer(const std::string& request, std::unique_ptr<ThreadPool>* pool) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array names;
  simdjson::dom::element problem_text;
  if (parser.parse(request).get(root) != simdjson::SUCCESS || root["kernels"].get(names) != simdjson::SUCCESS ||
      root["problem"].get(problem_text) != simdjson::SUCCESS) {
    return;
  }
  std::vector<std::string> kernels;
  for (simdjson::dom::element name : names) kernels.emplace_back(name.get_string().value_unsafe());
  const auto owned = ProblemFromText(simdjson::minify(problem_text), 7);
  if (!owned.ok()) {
    for (const std::string& kernel : kernels) fmt::print("result {} 0 0 0 {}\n", kernel, owned.status().message());
    return;
  }
  const Problem& problem = (*owned)->problem;
  if (*pool == nullptr || (*pool)->threads() != problem.threads) *pool = std::make_unique<ThreadPool>(problem.threads);
  const auto begin = [](const std::string& kernel) {
    fmt::print("begin {}\n", kernel);
    std::fflush(stdout);
  };
  for (const TimedKernel& result : TimeKernels(problem, kernels, **pool, {}, begin)) {
    fmt::print("result {} {:.9g} {:.4g} {} {}\n", result.kernel, result.seconds, result.spread, result.samples,
               result.reason);
  }
}

}  // namespace

int TuneWorkerMain() {
  ConfigureLibraries();
  std::unique_ptr<ThreadPool> pool;
  std::string line;
  while (std::getline(std::cin, line)) {
    Answer(line, &pool);
    fmt::print("done\n");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace tamis
