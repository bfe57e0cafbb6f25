// RandomNormal, RandomUniform and their Like forms in f32: the reference's own numbers, drawn by all threads.
//
// A number depends on the seed and its element's place alone, so parts need nothing from one another.
#include <optional>

#include "src/kernels/operand_check.h"
#include "src/kernels/problem.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/op_random_numbers.h"

namespace tamis {
namespace {

constexpr int64_t kBlock = 1024;        // elements of an item
constexpr double kOperations = 50;      // of an element: two hashes, a logarithm and a cosine in double
constexpr int64_t kItemsOfAThread = 1;  // a block takes some 25 us

struct Args {
  std::optional<float> seed;  // none: every run draws new numbers
  bool normal = true;
  double first = 0, second = 1;  // mean and scale, or low and high
};

class RandomKernel : public PreparedKernel {
 public:
  RandomKernel(const Args& args, int64_t count, int threads) : args_(args), count_(count), threads_(threads) {}

  void Run(std::span<const void* const>, std::span<void* const> outputs, std::byte*, ThreadPool& pool) const override {
    if (count_ == 0) return;
    const RandomNumbers random(args_.seed);
    auto* y = static_cast<float*>(outputs[0]);
    ForItems(pool, threads_, (count_ + kBlock - 1) / kBlock, kItemsOfAThread, [&](int64_t block, int) {
      const int64_t end = std::min(count_, (block + 1) * kBlock);
      for (int64_t i = block * kBlock; i < end; ++i) {
        y[i] = static_cast<float>(args_.normal ? args_.first + args_.second * random.Normal(i)
                                               : args_.first + (args_.second - args_.first) * random.Uniform(i));
      }
    });
  }

 private:
  Args args_;
  int64_t count_;
  int threads_;
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.outputs[0].dtype != DType::kFloat32) {
    return UserError("the result is {}; float32 is supported", Name(problem.outputs[0].dtype));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Node& node = *problem.node;
  Args args;
  if (node.Has("seed")) args.seed = node.Float("seed", 0);
  args.normal = node.op == "RandomNormal" || node.op == "RandomNormalLike";
  args.first = args.normal ? node.Float("mean", 0) : node.Float("low", 0);
  args.second = args.normal ? node.Float("scale", 1) : node.Float("high", 1);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RandomKernel>(args, Elements(problem.outputs[0]), problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, kOperations * static_cast<double>(Elements(problem.outputs[0])));
}

}  // namespace

extern const KernelDef kernel_random_numbers = {
    .name = "random_numbers",
    .family = "random",
    .ops = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
