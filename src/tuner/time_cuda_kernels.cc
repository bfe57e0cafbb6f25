#include "src/tuner/time_cuda_kernels.h"

#include <cstring>

#include "src/base/median.h"
#include "src/tuner/candidate_check.h"

namespace tamis {
namespace {

constexpr int kLaunches = 20;  // in one graph
constexpr int kRounds = 5;

// Everything about one problem but the kernels: operands in device memory, constants several times.
class Bench {
 public:
  Bench(const Problem& problem, std::shared_ptr<const CudaDevice> device, uint64_t workspace_limit)
      : problem_(problem), device_(std::move(device)), api_(device_->api()), workspace_limit_(workspace_limit) {}

  Status Prepare() {
    TAMIS_ASSIGN_OR_RETURN(stream_, device_->MakeStream());
    TAMIS_ASSIGN_OR_RETURN(begin_, device_->MakeEvent());
    TAMIS_ASSIGN_OR_RETURN(end_, device_->MakeEvent());
    inputs_ = SeededInputs(problem_);
    expected_ = CheapReference(problem_, inputs_);
    size_t constant_bytes = 0;
    for (const Operand& operand : problem_.inputs) {
      if (operand.constant != nullptr) constant_bytes += operand.constant->NumBytes();
    }
    // Small constants stay in the cache inside a network too.
    const size_t beyond = 2 * device_->info().l2_bytes;
    copies_ = constant_bytes < 65536 ? 1 : std::clamp<size_t>(beyond / constant_bytes + 1, 2, kLaunches);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const size_t count = problem_.inputs[i].constant != nullptr ? copies_ : 1;
      auto& copies = device_inputs_.emplace_back();
      for (size_t c = 0; c < count && inputs_[i].Defined(); ++c) {
        TAMIS_ASSIGN_OR_RETURN(copies.emplace_back(), Upload(inputs_[i]));
      }
    }
    for (const Operand& operand : problem_.outputs) {
      device_outputs_.emplace_back();
      outputs_.emplace_back();
      if (!operand.Present()) continue;
      const size_t bytes = ByteSize(operand.dtype, static_cast<size_t>(NumElements(operand.dims)));
      TAMIS_ASSIGN_OR_RETURN(device_outputs_.back(), CudaMemory::OnDevice(device_, bytes + 256));
      outputs_.back() = SampleOf(operand.dtype, operand.dims);
    }
    for (Tensor& tensor : expected_) {
      if (tensor.Defined()) tensor = Sampled(tensor);
    }
    return {};
  }

  // Prepares, runs once and checks; what is wrong with the kernel goes to `reason`.
  Status Try(const std::string& variant, std::string* reason) {
    Running run;
    Problem problem = problem_;
    for (size_t c = 0; c < copies_; ++c) {
      // Hash 0: a kernel that packs its weight makes a copy of its own each time.
      for (Operand& operand : problem.inputs) operand.constant_hash = 0;
      auto kernel = device_->Prepare(problem, variant);
      if (!kernel.ok()) {
        *reason = kernel.status().message();
        return {};
      }
      run.kernels.push_back(std::move(kernel).value());
      if (device_->Describe(run.kernels.back().get()).packed_inputs == 0) break;  // copies of the operands do
    }
    const auto facts = device_->Describe(run.kernels[0].get());
    if (workspace_limit_ > 0 && facts.workspace_bytes > workspace_limit_) {
      *reason = WorkspaceRefusal(facts.workspace_bytes, workspace_limit_);
      return {};
    }
    auto workspace = CudaMemory::OnDevice(device_, facts.workspace_bytes + 256);
    if (!workspace.ok()) {
      *reason = workspace.status().message();
      return {};
    }
    run.workspace = std::move(workspace).value();
    for (const CudaMemory& output : device_outputs_) {  // 0xff is NaN in every float type
      if (output.bytes() == 0) continue;
      TAMIS_RETURN_IF_ERROR(CallCuda(api_.fill, stream_.get(), static_cast<void*>(output.data()), 255,
                                     static_cast<uint64_t>(output.bytes())));
    }
    const Status launched = Launch(run, 0);
    TAMIS_RETURN_IF_ERROR(
        CallCuda(api_.synchronize, stream_.get()).WithContext("the GPU failed while it ran " + variant));
    if (!launched.ok()) {
      *reason = launched.message();
      return {};
    }
    TAMIS_RETURN_IF_ERROR(Download());
    if (expected_.empty()) {
      for (const Tensor& output : outputs_) expected_.push_back(output.Defined() ? output.Clone() : Tensor());
    }
    if (const double difference = Difference(outputs_, expected_); !(difference <= Tolerance(problem_))) {
      *reason = fmt::format("wrong result: differs by {:.3g} of the largest magnitude", difference);
      return {};
    }
    TAMIS_RETURN_IF_ERROR(CallCuda(api_.begin_capture, stream_.get()));
    Status recorded;
    for (size_t i = 0; i < kLaunches && recorded.ok(); ++i) recorded = Launch(run, i);
    TamisCudaGraph* graph = nullptr;
    const Status ended = CallCuda(api_.end_capture, stream_.get(), &graph);
    run.graph.reset(graph);
    if (!recorded.ok() || !ended.ok()) {
      *reason = (recorded.ok() ? ended : recorded).message();
      return {};
    }
    running_.push_back(std::move(run));
    return {};
  }

  // Median seconds of one launch of each kernel that Try found right, in that order.
  Result<std::vector<double>> Time() {
    std::vector<std::vector<double>> times(running_.size());
    for (int round = -1; round < kRounds; ++round) {  // the first is a warm-up
      for (size_t i = 0; i < running_.size(); ++i) {
        TAMIS_RETURN_IF_ERROR(CallCuda(api_.record_event, stream_.get(), begin_.get()));
        TAMIS_RETURN_IF_ERROR(CallCuda(api_.launch_graph, stream_.get(), running_[i].graph.get()));
        TAMIS_RETURN_IF_ERROR(CallCuda(api_.record_event, stream_.get(), end_.get()));
        double seconds = 0;
        TAMIS_RETURN_IF_ERROR(CallCuda(api_.elapsed_seconds, begin_.get(), end_.get(), &seconds));
        if (round >= 0) times[i].push_back(seconds / kLaunches);
      }
    }
    std::vector<double> medians;
    for (auto& list : times) medians.push_back(Median(std::move(list)));
    return medians;
  }

 private:
  struct Running {
    std::vector<CudaKernelHandle> kernels;
    CudaMemory workspace;
    CudaGraph graph;
  };

  Result<CudaMemory> Upload(const Tensor& tensor) {
    TAMIS_ASSIGN_OR_RETURN(CudaMemory memory, CudaMemory::OnDevice(device_, tensor.NumBytes() + 256));
    TAMIS_RETURN_IF_ERROR(CallCuda(api_.copy, stream_.get(), static_cast<void*>(memory.data()),
                                   static_cast<const void*>(tensor.raw()), static_cast<uint64_t>(tensor.NumBytes()),
                                   static_cast<int32_t>(TAMIS_CUDA_TO_DEVICE)));
    TAMIS_RETURN_IF_ERROR(CallCuda(api_.synchronize, stream_.get()));
    return memory;
  }

  // Large results are compared in kChunks runs of elements, evenly spread: a kernel that is wrong somewhere is wrong in
  // most tiles, and comparing all would take longer than timing.
  static constexpr int64_t kChunks = 64, kChunk = 4096;

  static Tensor SampleOf(DType dtype, const Dims& dims) {
    return Tensor(dtype, NumElements(dims) <= kChunks * kChunk ? dims : Dims{kChunks, kChunk});
  }
  // Calls f(offset, bytes, position in the sample) for every run.
  template <class F>
  static Status ForEachRun(DType dtype, const Dims& dims, F&& f) {
    const int64_t count = NumElements(dims);
    if (count <= kChunks * kChunk) return f(size_t{0}, ByteSize(dtype, static_cast<size_t>(count)), size_t{0});
    for (int64_t i = 0; i < kChunks; ++i) {
      const int64_t at = (count - kChunk) * i / (kChunks - 1);
      TAMIS_RETURN_IF_ERROR(f(ByteSize(dtype, static_cast<size_t>(at)), ByteSize(dtype, kChunk),
                              ByteSize(dtype, static_cast<size_t>(i * kChunk))));
    }
    return {};
  }
  static Tensor Sampled(const Tensor& whole) {
    Tensor sample = SampleOf(whole.dtype(), whole.dims());
    const auto copy = [&](size_t offset, size_t bytes, size_t position) -> Status {
      std::memcpy(sample.raw() + position, whole.raw() + offset, bytes);
      return {};
    };
    static_cast<void>(ForEachRun(whole.dtype(), whole.dims(), copy));
    return sample;
  }

  Status Download() {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (!outputs_[i].Defined()) continue;
      const auto copy = [&](size_t offset, size_t bytes, size_t position) -> Status {
        return CallCuda(api_.copy, stream_.get(), static_cast<void*>(outputs_[i].raw() + position),
                        static_cast<const void*>(device_outputs_[i].data() + offset), static_cast<uint64_t>(bytes),
                        static_cast<int32_t>(TAMIS_CUDA_TO_HOST));
      };
      TAMIS_RETURN_IF_ERROR(ForEachRun(problem_.outputs[i].dtype, problem_.outputs[i].dims, copy));
    }
    return CallCuda(api_.synchronize, stream_.get());
  }

  Status Launch(const Running& run, size_t turn) const {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    const TamisCudaKernel* kernel = run.kernels[turn % run.kernels.size()].get();
    const uint64_t packed = device_->Describe(kernel).packed_inputs;
    for (size_t i = 0; i < device_inputs_.size(); ++i) {
      const auto& copies = device_inputs_[i];
      const bool held = copies.empty() || (i < 64 && (packed >> i & 1) != 0);
      inputs.push_back(held ? nullptr : copies[turn % copies.size()].data());
    }
    for (const CudaMemory& output : device_outputs_) outputs.push_back(output.data());
    return CallCuda(api_.enqueue, kernel, stream_.get(), static_cast<const void* const*>(inputs.data()),
                    static_cast<void* const*>(outputs.data()), static_cast<void*>(run.workspace.data()));
  }

  const Problem& problem_;
  std::shared_ptr<const CudaDevice> device_;
  const TamisCudaApi& api_;
  const uint64_t workspace_limit_;
  CudaStream stream_;
  CudaEvent begin_, end_;
  size_t copies_ = 1;
  std::vector<Tensor> inputs_, outputs_, expected_;
  std::vector<std::vector<CudaMemory>> device_inputs_;  // by operand, then copy
  std::vector<CudaMemory> device_outputs_;
  std::vector<Running> running_;
};

}  // namespace

Result<std::vector<TimedKernel>> TimeCudaKernels(const Problem& problem, const std::vector<std::string>& kernels,
                                                 const CudaDevice& device, const TimingOptions& options,
                                                 const std::function<void(const std::string&)>& begin) {
  Bench bench(problem, device.shared_from_this(), options.workspace_limit);
  TAMIS_RETURN_IF_ERROR(bench.Prepare());
  std::vector<TimedKernel> results;
  std::vector<size_t> right;
  for (const std::string& kernel : kernels) {
    begin(kernel);
    results.push_back({kernel, 0, {}, 0, 0});
    TAMIS_RETURN_IF_ERROR(bench.Try(kernel, &results.back().reason));
    if (results.back().reason.empty()) right.push_back(results.size() - 1);
  }
  TAMIS_ASSIGN_OR_RETURN(const std::vector<double> seconds, bench.Time());
  for (size_t i = 0; i < right.size(); ++i) {
    results[right[i]].seconds = seconds[i];
    results[right[i]].samples = kLaunches * kRounds;
  }
  return results;
}

}  // namespace tamis
