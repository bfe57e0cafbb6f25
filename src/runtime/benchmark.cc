#include "src/runtime/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "src/base/float16.h"

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Requests of one case for `seconds`, at least one a stream; latencies are appended.
Status RunFor(const BenchmarkCase& one, int streams, double seconds, std::vector<double>* latencies) {
  std::mutex mutex;
  Status first_error;
  const auto start = Clock::now();
  const auto stream = [&] {
    std::vector<double> own;
    do {
      const auto begin = Clock::now();
      const auto outputs = one.session->Run(one.inputs);
      own.push_back(Since(begin));
      if (!outputs.ok()) {
        std::lock_guard lock(mutex);
        if (first_error.ok()) first_error = outputs.status();
        return;
      }
    } while (Since(start) < seconds);
    std::lock_guard lock(mutex);
    latencies->insert(latencies->end(), own.begin(), own.end());
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < streams; ++i) threads.emplace_back(stream);
  stream();
  for (std::thread& thread : threads) thread.join();
  return first_error;
}

// Nearest rank.
double Percentile(const std::vector<double>& sorted, double percent) {
  const auto rank = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

BenchmarkResult Summarise(std::vector<double> latencies, double busy, const std::vector<double>& percentiles) {
  std::sort(latencies.begin(), latencies.end());
  BenchmarkResult result;
  result.requests = static_cast<int64_t>(latencies.size());
  result.min = latencies.front();
  result.max = latencies.back();
  result.median = Percentile(latencies, 50);
  result.mean = std::accumulate(latencies.begin(), latencies.end(), 0.0) / static_cast<double>(latencies.size());
  result.requests_per_second = static_cast<double>(latencies.size()) / busy;
  for (const double percent : percentiles) result.percentiles.push_back(Percentile(latencies, percent));
  result.latencies = std::move(latencies);
  return result;
}

}  // namespace

Result<std::vector<BenchmarkResult>> Benchmark(const std::vector<BenchmarkCase>& cases,
                                               const BenchmarkOptions& options) {
  constexpr int kTurns = 10;
  std::vector<double> discarded;
  for (const BenchmarkCase& one : cases) {
    TAMIS_RETURN_IF_ERROR(RunFor(one, options.streams, options.warmup_seconds, &discarded));
  }
  std::vector<std::vector<double>> latencies(cases.size());
  std::vector<double> busy(cases.size(), 0);
  for (int turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < cases.size(); ++i) {
      const auto start = Clock::now();
      TAMIS_RETURN_IF_ERROR(RunFor(cases[i], options.streams, options.seconds / kTurns, &latencies[i]));
      busy[i] += Since(start);
    }
  }
  std::vector<BenchmarkResult> results;
  for (size_t i = 0; i < cases.size(); ++i) {
    results.push_back(Summarise(std::move(latencies[i]), busy[i], options.percentiles));
  }
  return results;
}

Result<NamedTensors> RandomInputs(const std::vector<TensorSpec>& specs, const std::map<std::string, int64_t>& binding,
                                  uint64_t seed) {
  NamedTensors tensors;
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (const TensorSpec& spec : specs) {
    if (spec.optional) continue;  // without it, it holds nothing
    if (spec.sequence) return UserError("input '{}' is {}: there are no random ones", spec.name, spec.type);
    Dims dims = spec.dims;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (dims[axis] >= 0) continue;
      const auto found = binding.find(spec.dim_names[axis]);
      if (found == binding.end()) {
        return UserError("dimension '{}' of input '{}' is dynamic and has no value; give --shape {}=...",
                         spec.dim_names[axis], spec.name, spec.name);
      }
      dims[axis] = found->second;
    }
    Tensor tensor(spec.dtype, dims);
    for (int64_t i = 0; i < tensor.NumElements(); ++i) {
      switch (spec.dtype) {
        case DType::kFloat32:
          tensor.Data<float>()[i] = normal(random);
          break;
        case DType::kFloat64:
          tensor.Data<double>()[i] = normal(random);
          break;
        case DType::kFloat16:
          tensor.Data<uint16_t>()[i] = FloatToHalf(normal(random));
          break;
        case DType::kBFloat16:
          tensor.Data<uint16_t>()[i] = FloatToBf16(normal(random));
          break;
        case DType::kString:
          tensor.Data<std::string>()[i] = "text";
          break;
        default: {
          const size_t size = ByteSize(spec.dtype, 1);
          tensor.raw()[static_cast<size_t>(i) * size] = std::byte{1};
        }
      }
    }
    tensors[spec.name] = std::move(tensor);
  }
  return tensors;
}

Result<std::vector<Tensor>> RandomOperands(const std::vector<TensorSpec>& specs,
                                           const std::map<std::string, int64_t>& binding, uint64_t seed) {
  TAMIS_ASSIGN_OR_RETURN(NamedTensors named, RandomInputs(specs, binding, seed));
  std::vector<Tensor> operands;
  for (const TensorSpec& spec : specs) operands.push_back(std::move(named[spec.name]));
  return operands;
}

bool AreTensors(const std::vector<TensorSpec>& specs) {
  return std::all_of(specs.begin(), specs.end(),
                     [](const TensorSpec& spec) { return spec.IsTensor() && spec.has_rank; });
}

}  // namespace tamis
