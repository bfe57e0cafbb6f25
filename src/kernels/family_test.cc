#include "src/kernels/family_test.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "src/base/float16.h"
#include "src/base/hash.h"
#include "src/ops/op_def.h"

namespace tamis::kernel_test {
namespace {

constexpr size_t kGuard = 64;

// A 64-byte aligned block whose bytes, and a guard behind them, start as 0xff: NaNs for a float kernel that reads them.
class Block {
 public:
  explicit Block(size_t bytes) : bytes_(bytes), tensor_(DType::kUInt8, {static_cast<int64_t>(bytes + kGuard)}) {
    std::memset(tensor_.raw(), 0xff, bytes + kGuard);
  }
  std::byte* data() { return tensor_.raw(); }
  bool GuardIntact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      if (tensor_.raw()[bytes_ + i] != std::byte{0xff}) return false;
    }
    return true;
  }

 private:
  size_t bytes_;
  Tensor tensor_;
};

// The node and operands of a case. Inputs are copied to blocks of exactly their size, so that ASan sees overreads.
struct Prepared {
  Node node;
  Problem problem;
};

void Fill(const KernelCase& c, int threads, Prepared& out) {
  out.node.op = c.node.op;
  out.node.domain = c.node.domain;
  out.node.attributes = c.node.attributes;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor& tensor = c.inputs[i];
    out.node.inputs.push_back(tensor.Defined() ? static_cast<ValueId>(i) : kNoValue);
    Operand operand;
    operand.dtype = tensor.dtype();
    operand.dims = tensor.dims();
    if (std::find(c.constants.begin(), c.constants.end(), i) != c.constants.end()) {
      operand.constant = &tensor;
      operand.constant_hash = HashTensor(tensor);
      if (i == 1) operand.pattern = c.weight;
    }
    out.problem.inputs.push_back(operand);
  }
  for (size_t i = 0; i < c.outputs.size(); ++i) {
    out.node.outputs.push_back(static_cast<ValueId>(c.inputs.size() + i));
    Operand operand;
    operand.dtype = c.outputs[i].first;
    operand.dims = c.outputs[i].second;
    out.problem.outputs.push_back(operand);
  }
  out.problem.node = &out.node;
  out.problem.threads = threads;
}

void Compare(const KernelCase& c, size_t output, const Tensor& got_tensor, const std::string& where) {
  const std::vector<double> got = Doubles(got_tensor);
  const std::vector<double>& want = c.expected[output];
  ASSERT_EQ(got.size(), want.size()) << where;
  const double rounding = got_tensor.dtype() == DType::kBFloat16  ? 1.0 / 256
                          : got_tensor.dtype() == DType::kFloat16 ? 1.0 / 1024
                                                                  : 0;
  const double relative = c.relative + rounding;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i])) {
      ASSERT_TRUE(std::isnan(got[i])) << where << ", element " << i;
      continue;
    }
    if (got[i] == want[i]) continue;
    ASSERT_LE(std::abs(got[i] - want[i]), c.absolute + relative * std::abs(want[i]))
        << where << ", element " << i << ": got " << got[i] << ", want " << want[i];
  }
}

void RunOne(const KernelDef& kernel, const KernelCase& c, const Problem& problem, const std::string& where) {
  PackCache cache;
  auto prepared = kernel.prepare(problem, cache);
  ASSERT_TRUE(prepared.ok()) << where << ": " << prepared.status().message();
  std::vector<const void*> inputs;
  for (const Tensor& tensor : c.inputs) inputs.push_back(tensor.Defined() ? tensor.raw() : nullptr);
  std::vector<Block> blocks;
  for (const Operand& operand : problem.outputs) {
    blocks.emplace_back(ByteSize(operand.dtype, static_cast<size_t>(NumElements(operand.dims))));
  }
  std::vector<void*> outputs;
  for (Block& block : blocks) outputs.push_back(block.data());
  Block workspace((*prepared)->WorkspaceBytes());
  ThreadPool pool(problem.threads);
  const Status status = (*prepared)->Check(inputs);
  ASSERT_TRUE(status.ok()) << where << ": " << status.message();
  (*prepared)->Run(inputs, outputs, workspace.data(), pool);
  ASSERT_TRUE(workspace.GuardIntact()) << where << ": wrote past its workspace";
  for (size_t i = 0; i < blocks.size(); ++i) {
    ASSERT_TRUE(blocks[i].GuardIntact()) << where << ": wrote past output " << i;
    Compare(c, i, Tensor::View(problem.outputs[i].dtype, problem.outputs[i].dims, blocks[i].data(), nullptr), where);
  }
}

std::set<std::string>& CheckedFamilies() {
  static std::set<std::string> families;
  return families;
}

}  // namespace

void NoteFamilyChecked(std::string_view family) {
  CheckedFamilies().emplace(family);
}

bool FamilyIsChecked(std::string_view family) {
  return CheckedFamilies().count(std::string(family)) > 0;
}

Tensor RandomTensor(DType dtype, Dims dims, uint64_t seed, double low, double high) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> values(low, high);
  Tensor tensor(dtype, std::move(dims));
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    const auto value = static_cast<float>(values(random));
    if (dtype == DType::kBFloat16) {
      tensor.Data<uint16_t>()[i] = FloatToBf16(value);
    } else {
      tensor.Data<float>()[i] = value;
    }
  }
  return tensor;
}

Tensor Int64Tensor(Dims dims, std::vector<int64_t> values) {
  return Tensor::Of<int64_t>(DType::kInt64, std::move(dims), values);
}

std::vector<double> Doubles(const Tensor& tensor) {
  std::vector<double> values;
  const auto add = [&]<class T>(T) {
    for (int64_t i = 0; i < tensor.NumElements(); ++i) values.push_back(static_cast<double>(tensor.Data<T>()[i]));
  };
  switch (tensor.dtype()) {
    case DType::kFloat32:
      add(float{});
      break;
    case DType::kFloat64:
      add(double{});
      break;
    case DType::kBFloat16:
    case DType::kFloat16:
      return Doubles(tensor.ToFloat32());
    case DType::kInt64:
      add(int64_t{});
      break;
    case DType::kInt32:
      add(int32_t{});
      break;
    case DType::kInt16:
      add(int16_t{});
      break;
    case DType::kInt8:
      add(int8_t{});
      break;
    case DType::kUInt64:
      add(uint64_t{});
      break;
    case DType::kUInt32:
      add(uint32_t{});
      break;
    case DType::kUInt16:
      add(uint16_t{});
      break;
    case DType::kUInt8:
    case DType::kBool:
      add(uint8_t{});
      break;
    default: {  // of less than a byte, and small floats
      Node cast;
      cast.op = "Cast";
      cast.attributes["to"] = static_cast<int64_t>(DType::kFloat32);
      cast.inputs = {0};
      cast.outputs = {1};
      const Tensor* operands[] = {&tensor};
      const auto wide = EvaluateNode(cast, 25, operands);
      EXPECT_TRUE(wide.ok()) << wide.status().message();
      if (wide.ok()) return Doubles((*wide)[0]);
    }
  }
  return values;
}

void CheckFamily(std::string_view family, const std::vector<KernelCase>& cases, bool need_all) {
  std::set<std::string_view> reached;
  for (const KernelCase& c : cases) {
    for (int threads = 1; threads <= 3; ++threads) {
      Prepared prepared;
      Fill(c, threads, prepared);
      std::vector<Refusal> refused;
      size_t runs = 0;
      for (const KernelDef* kernel : CandidateKernels(prepared.problem, &refused)) {
        if (kernel->family != family) continue;
        reached.insert(kernel->name);
        ++runs;
        RunOne(*kernel, c, prepared.problem, fmt::format("{} on {}, {} threads", kernel->name, c.name, threads));
        if (testing::Test::HasFatalFailure()) return;
      }
      std::string reasons;
      for (const Refusal& refusal : refused) reasons += fmt::format("\n  {}: {}", refusal.kernel->name, refusal.reason);
      EXPECT_GT(runs, 0u) << "no kernel of " << family << " accepts " << c.name << reasons;
    }
  }
  if (need_all) NoteFamilyChecked(family);
  for (const KernelDef* kernel : AllKernels()) {
    if (kernel->family != family || !need_all) continue;
    if (kernel->isa > Cpu().isa || !MachineHas(kernel->feature)) {
      fmt::print("skipped: {} needs more than {}\n", kernel->name, Cpu().Fingerprint());
    } else {
      EXPECT_TRUE(reached.count(kernel->name)) << kernel->name << " is reached by no case";
    }
  }
}

bool CheckKernel(const KernelDef& kernel, const KernelCase& c) {
  for (int threads = 1; threads <= 3; ++threads) {
    Prepared prepared;
    Fill(c, threads, prepared);
    if (!kernel.supports(prepared.problem).ok()) return false;
    RunOne(kernel, c, prepared.problem, fmt::format("{} on {}, {} threads", kernel.name, c.name, threads));
  }
  return true;
}

void ExpectRefused(std::string_view family, const KernelCase& refused_case, std::string_view reason) {
  Prepared prepared;
  Fill(refused_case, 1, prepared);
  std::vector<Refusal> refused;
  for (const KernelDef* kernel : CandidateKernels(prepared.problem, &refused)) {
    EXPECT_NE(kernel->family, family) << kernel->name << " accepts " << refused_case.name;
  }
  bool found = false;
  for (const Refusal& refusal : refused) found |= refusal.reason.find(reason) != std::string::npos;
  EXPECT_TRUE(found) << refused_case.name << ": no refusal says '" << reason << "'";
}

void ExpectCheckFails(std::string_view family, const KernelCase& bad) {
  Prepared prepared;
  Fill(bad, 1, prepared);
  std::vector<const void*> inputs;
  for (const Tensor& tensor : bad.inputs) inputs.push_back(tensor.Defined() ? tensor.raw() : nullptr);
  size_t checked = 0;
  for (const KernelDef* kernel : CandidateKernels(prepared.problem, nullptr)) {
    if (kernel->family != family) continue;
    PackCache cache;
    auto made = kernel->prepare(prepared.problem, cache);
    ASSERT_TRUE(made.ok()) << made.status().message();
    EXPECT_FALSE((*made)->Check(inputs).ok()) << kernel->name << " on " << bad.name;
    ++checked;
  }
  EXPECT_GT(checked, 0u) << bad.name;
}

}  // namespace tamis::kernel_test
