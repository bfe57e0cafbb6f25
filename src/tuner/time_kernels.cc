#include "src/tuner/time_kernels.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>

#include "src/ops/op_def.h"
#include "src/tuner/problem_text.h"

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

// Buffers of one problem: seeded inputs, outputs to be overwritten.
struct Buffers {
  std::vector<Tensor> inputs, outputs;
  std::vector<const void*> in;
  std::vector<void*> out;

  explicit Buffers(const Problem& problem) {
    for (size_t i = 0; i < problem.inputs.size(); ++i) {
      const Operand& operand = problem.inputs[i];
      if (!operand.Present()) {
        inputs.emplace_back();
      } else if (operand.constant != nullptr) {
        inputs.push_back(*operand.constant);
      } else {
        inputs.push_back(RandomTensor(operand.dtype, operand.dims, Pattern::kDense, 1000 + i));
      }
      in.push_back(operand.Present() ? inputs.back().raw() : nullptr);
    }
    for (const Operand& operand : problem.outputs) {
      outputs.push_back(operand.Present() ? Tensor(operand.dtype, operand.dims) : Tensor());
      out.push_back(operand.Present() ? outputs.back().raw() : nullptr);
    }
  }
};

// Multiplies that the reference would do: output elements times the weight's row length.
double Work(const Problem& problem) {
  double work = 0;
  for (const Operand& output : problem.outputs) work += static_cast<double>(NumElements(output.dims));
  if (problem.inputs.size() > 1 && !problem.inputs[1].dims.empty()) {
    const Dims& dims = problem.inputs[1].dims;
    double row = 1;
    for (size_t i = 1; i < dims.size(); ++i) row *= static_cast<double>(dims[i]);
    work *= row;
  }
  return work;
}

struct Running {
  size_t index = 0;  // in the result
  std::vector<std::unique_ptr<PreparedKernel>> copies;
  std::vector<PackCache> caches;
  std::shared_ptr<PackedBytes> workspace;
  std::vector<double> times;
};

// Largest difference relative to the largest magnitude.
double Difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i].Defined() || !IsFloat(a[i].dtype())) continue;
    const Tensor fa = a[i].ToFloat32();
    const Tensor fb = b[i].ToFloat32();
    double magnitude = 1e-6;
    double difference = 0;
    for (int64_t e = 0; e < fa.NumElements(); ++e) {
      const double x = fa.Data<float>()[e];
      const double y = fb.Data<float>()[e];
      if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<double>::infinity();
      magnitude = std::max(magnitude, std::abs(y));
      difference = std::max(difference, std::abs(x - y));
    }
    worst = std::max(worst, difference / magnitude);
  }
  return worst;
}

double Tolerance(const Problem& problem) {
  for (const Operand& operand : problem.inputs) {
    if (operand.dtype == DType::kBFloat16) return 4e-2;
  }
  return 1e-3;
}

Result<std::vector<Tensor>> Reference(const Problem& problem, const Buffers& buffers) {
  std::vector<const Tensor*> operands;
  for (const Tensor& input : buffers.inputs) operands.push_back(input.Defined() ? &input : nullptr);
  std::vector<DType> dtypes;
  for (const Operand& output : problem.outputs) dtypes.push_back(output.dtype);
  return EvaluateNode(*problem.node, 21, operands, dtypes);
}

size_t CopiesFor(const Problem& problem) {
  size_t weight_bytes = 0;
  for (const Operand& operand : problem.inputs) {
    if (operand.constant != nullptr) weight_bytes += operand.constant->NumBytes();
  }
  const size_t beyond = static_cast<size_t>(Cpu().l2_bytes) * 3 / 2;
  if (weight_bytes < 4096) return 1;
  return std::clamp<size_t>(beyond / weight_bytes + 1, 1, 8);
}

}  // namespace

std::vector<TimedKernel> TimeKernels(const Problem& problem, const std::vector<std::string>& kernels, ThreadPool& pool,
                                     const TimingOptions& options,
                                     const std::function<void(const std::string&)>& begin) {
  std::vector<TimedKernel> results;
  std::vector<Running> running;
  Buffers buffers(problem);
  std::vector<Tensor> expected;
  if (Work(problem) < 0x1p27) {
    if (auto reference = Reference(problem, buffers); reference.ok()) expected = std::move(reference).value();
  }
  const size_t copies = CopiesFor(problem);
  for (const std::string& name : kernels) {
    results.push_back({name, 0, {}});
    TimedKernel& result = results.back();
    const KernelDef* kernel = FindKernel(name);
    if (kernel == nullptr) {
      result.reason = "no such kernel";
      continue;
    }
    begin(name);
    Running run;
    run.index = results.size() - 1;
    run.caches = std::vector<PackCache>(copies);
    Status status;
    for (size_t c = 0; c < copies && status.ok(); ++c) {
      auto prepared = kernel->prepare(problem, run.caches[c]);
      if (prepared.ok()) {
        run.copies.push_back(std::move(prepared).value());
      } else {
        status = prepared.status();
      }
    }
    if (status.ok()) status = run.copies[0]->Check(buffers.in);
    if (!status.ok()) {
      result.reason = status.message();
      continue;
    }
    run.workspace = std::make_shared<PackedBytes>(run.copies[0]->WorkspaceBytes() + 64);
    run.copies[0]->Run(buffers.in, buffers.out, run.workspace->data(), pool);
    if (expected.empty()) {
      for (const Tensor& output : buffers.outputs) expected.push_back(output.Defined() ? output.Clone() : Tensor());
    } else if (const double difference = Difference(buffers.outputs, expected); !(difference <= Tolerance(problem))) {
      result.reason = fmt::format("wrong result: differs by {:.3g} of the largest magnitude", difference);
      continue;
    }
    running.push_back(std::move(run));
  }
  if (running.empty()) return results;

  const auto deadline = Clock::now() + std::chrono::duration<double>(options.seconds_per_problem);
  for (int round = 0; round < options.max_rounds && (round < 5 || Clock::now() < deadline); ++round) {
    for (Running& run : running) {
      const auto& prepared = run.copies[static_cast<size_t>(round) % run.copies.size()];
      const auto start = Clock::now();
      prepared->Run(buffers.in, buffers.out, run.workspace->data(), pool);
      run.times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
  }
  for (Running& run : running) {
    std::sort(run.times.begin(), run.times.end());
    const size_t count = run.times.size();
    TimedKernel& result = results[run.index];
    result.samples = static_cast<int64_t>(count);
    result.seconds = std::strtod(fmt::format("{:.9g}", run.times[count / 2]).c_str(), nullptr);
    result.spread = (run.times[count * 3 / 4] - run.times[count / 4]) / run.times[count / 2];
  }
  return results;
}

}  // namespace tamis
