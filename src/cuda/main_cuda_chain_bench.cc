// tamis_cuda_chain_bench: what the kernel of elementwise chains takes of an NVIDIA GPU's memory bandwidth, beside a
// copy of as many bytes. Operands rotate among copies of more than twice the second-level cache; times are of graphs of
// twenty launches, medians of nine.
#include <cstdio>
#include <vector>

#include "src/base/median.h"
#include "src/cuda/device.h"
#include "src/ops/op_chain.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

constexpr int kLaunches = 20, kRounds = 9;

// x and z alternate as operands, activations among them, as networks have them.
std::vector<ChainStep> Steps(int count) {
  const ChainStep all[] = {
      {ChainOp::kAdd, 0, 1}, {ChainOp::kSigmoid, 2}, {ChainOp::kMul, 0, 3}, {ChainOp::kAffine, 4, 0, 0.5f, 0.1f},
      {ChainOp::kGelu, 5},   {ChainOp::kMax, 6, 1},  {ChainOp::kTanh, 7},   {ChainOp::kSub, 8, 0}};
  return {all, all + count};
}

class ChainBench {
 public:
  explicit ChainBench(std::shared_ptr<const CudaDevice> device) : device_(std::move(device)), api_(device_->api()) {}

  Status Run() {
    TAMIS_ASSIGN_OR_RETURN(stream_, device_->MakeStream());
    TAMIS_ASSIGN_OR_RETURN(begin_, device_->MakeEvent());
    TAMIS_ASSIGN_OR_RETURN(end_, device_->MakeEvent());
    std::printf("| type | elements | copy | 1 step | 4 | 8 | 1 step, generated | 4 | 8 |\n|");
    for (int column = 0; column < 9; ++column) std::printf("---|");
    std::printf("\n");
    for (const DType dtype : {DType::kFloat16, DType::kFloat32}) {
      for (const int64_t elements : {10'000, 100'000, 1'000'000, 10'000'000, 100'000'000}) {
        TAMIS_RETURN_IF_ERROR(Allocate(dtype, elements));
        // Two operands are read and one result written; a copy moves as many bytes by reading and writing 1.5 each.
        const size_t bytes = 3 * operand_bytes_;
        TAMIS_ASSIGN_OR_RETURN(const double copy, Time([&](size_t i) {
                                 return CallCuda(api_.copy, stream_.get(), static_cast<void*>(Place(i, 0)),
                                                 static_cast<const void*>(Place(i, 0) + operand_bytes_ / 2 * 3),
                                                 static_cast<uint64_t>(operand_bytes_ / 2 * 3),
                                                 int32_t{TAMIS_CUDA_ON_DEVICE});
                               }));
        std::printf("| %s | %.0e | %s |", std::string(Name(dtype)).c_str(), static_cast<double>(elements),
                    Text(copy, bytes).c_str());
        for (const char* kernel : {"chain_cuda/0", "chain_nvrtc/0"}) {
          for (const int steps : {1, 4, 8}) {
            TAMIS_ASSIGN_OR_RETURN(const double seconds, TimeChain(kernel, dtype, elements, steps));
            std::printf(" %s |", Text(seconds, bytes).c_str());
          }
        }
        std::printf("\n");
        std::fflush(stdout);
      }
    }
    return {};
  }

 private:
  static std::string Text(double seconds, size_t bytes) {
    return fmt::format("{:.1f}, {:.0f}", seconds * 1e6, static_cast<double>(bytes) / seconds / 1e9);
  }

  // Each copy has two operands, the result, and as much again for what a copy writes.
  std::byte* Place(size_t copy, size_t operand) const {
    return memory_[copy % memory_.size()].data() + operand * operand_bytes_;
  }

  Status Allocate(DType dtype, int64_t elements) {
    memory_.clear();
    operand_bytes_ = (ByteSize(dtype, static_cast<size_t>(elements)) + 511) / 512 * 512;
    const size_t copies = std::clamp<size_t>(2 * device_->info().l2_bytes / (3 * operand_bytes_) + 1, 2, kLaunches);
    for (size_t i = 0; i < copies; ++i) {
      TAMIS_ASSIGN_OR_RETURN(CudaMemory block, CudaMemory::OnDevice(device_, 3 * operand_bytes_));
      TAMIS_RETURN_IF_ERROR(CallCuda(api_.fill, stream_.get(), static_cast<void*>(block.data()), int32_t{0x33},
                                     static_cast<uint64_t>(block.bytes())));
      memory_.push_back(std::move(block));
    }
    return CallCuda(api_.synchronize, stream_.get());
  }

  Result<double> TimeChain(const char* variant, DType dtype, int64_t elements, int steps) {
    Node node;
    node.op = "ElementwiseChain";
    node.domain = kTamisDomain;
    WriteChain(Steps(steps), &node);
    node.inputs = {0, 1};
    node.outputs = {2};
    Problem problem;
    problem.node = &node;
    problem.inputs.resize(2);
    problem.outputs.resize(1);
    for (Operand* operand : {&problem.inputs[0], &problem.inputs[1], &problem.outputs[0]}) {
      operand->dtype = dtype;
      operand->dims = {elements};
    }
    TAMIS_ASSIGN_OR_RETURN(const CudaKernelHandle kernel, device_->Prepare(problem, variant));
    return Time([&](size_t i) {
      const void* inputs[] = {Place(i, 0), Place(i, 1)};
      void* outputs[] = {Place(i, 2)};
      return CallCuda(api_.enqueue, static_cast<const TamisCudaKernel*>(kernel.get()), stream_.get(),
                      static_cast<const void* const*>(inputs), static_cast<void* const*>(outputs),
                      static_cast<void*>(nullptr));
    });
  }

  template <class F>
  Result<double> Time(F&& launch) {
    TAMIS_RETURN_IF_ERROR(CallCuda(api_.begin_capture, stream_.get()));
    Status status;
    for (size_t i = 0; i < kLaunches && status.ok(); ++i) status = launch(i);
    TamisCudaGraph* recorded = nullptr;
    const Status ended = CallCuda(api_.end_capture, stream_.get(), &recorded);
    const CudaGraph graph(recorded);
    TAMIS_RETURN_IF_ERROR(status);
    TAMIS_RETURN_IF_ERROR(ended);
    std::vector<double> times;
    for (int round = 0; round <= kRounds; ++round) {
      TAMIS_RETURN_IF_ERROR(CallCuda(api_.record_event, stream_.get(), begin_.get()));
      TAMIS_RETURN_IF_ERROR(CallCuda(api_.launch_graph, stream_.get(), graph.get()));
      TAMIS_RETURN_IF_ERROR(CallCuda(api_.record_event, stream_.get(), end_.get()));
      double seconds = 0;
      TAMIS_RETURN_IF_ERROR(CallCuda(api_.elapsed_seconds, begin_.get(), end_.get(), &seconds));
      if (round > 0) times.push_back(seconds / kLaunches);
    }
    return Median(std::move(times));
  }

  std::shared_ptr<const CudaDevice> device_;
  const TamisCudaApi& api_;
  CudaStream stream_;
  CudaEvent begin_, end_;
  std::vector<CudaMemory> memory_;
  size_t operand_bytes_ = 0;
};

}  // namespace
}  // namespace tamis

int main() {
  auto device = tamis::CudaDevice::Open(0);
  tamis::Status status = device.status();
  if (status.ok()) status = tamis::ChainBench(*device).Run();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 2;
}
