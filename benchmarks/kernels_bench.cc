// tamis_kernels_bench [--threads N] [--seconds S] [--filter TEXT] [--kernels TEXT] [--types f32,bf16,int8] [--cold 1]
//                     [--paired 1] [--residual 1] [--conv SIZE,INPUTS,OUTPUTS,KERNEL,STRIDE]
//                     [--linear ROWS,INPUTS,OUTPUTS]
// tamis_kernels_bench --check 1
//
// Times every kernel that computes a matrix product or convolution on the shapes of common networks, in f32, bf16 and
// int8 (u8 in, u8 out). All kernels of a shape take turns, so that a change of clock or load hits them alike; printed
// are medians, the rate in dense-equivalent GOP/s, and the time relative to the fastest dense kernel of the same dtype.
// With --cold weights and activations come from memory: a buffer larger than the caches is walked through before every
// run. With --conv or --linear one product of your own is measured instead. With --paired two outputs each share a
// mask, with --residual another operand is added to the sums. TAMIS_WITHOUT_KERNELS=strassen,winograd compares with the
// dense kernels that do all the products.
// --check times nothing: it fails if this CPU has a product kernel that no shape gives a chance.
#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

#include "src/kernels/gemm/kernel_case.h"

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

struct Shape {
  std::string text;
  std::string op;
  std::map<std::string, Attribute> attributes;
  Dims x, weight, y;
  double flops = 0;
};

Shape LinearShape(int64_t rows, int64_t outputs, int64_t depth, const std::string& activation) {
  Shape shape;
  shape.text = fmt::format("Linear M{} N{} K{} {}", rows, outputs, depth, activation);
  shape.op = "Linear";
  if (!activation.empty()) shape.attributes["activation"] = activation;
  shape.x = {1, rows, depth};  // tokens of one sequence: some kernels mix the rows of an entry
  shape.weight = {outputs, depth};
  shape.y = {1, rows, outputs};
  shape.flops = 2.0 * static_cast<double>(rows * outputs * depth);
  return shape;
}

Shape ConvShape(int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  const int64_t pad = kernel / 2;
  const int64_t result = (size + 2 * pad - kernel) / stride + 1;
  Shape shape;
  shape.text = fmt::format("Conv {}x{} C{} O{} k{} s{}", size, size, in, out, kernel, stride);
  shape.op = "ChannelsLastConv";
  shape.attributes["activation"] = std::string("Relu");
  shape.attributes["strides"] = std::vector<int64_t>{stride, stride};
  shape.attributes["pads"] = std::vector<int64_t>{pad, pad, pad, pad};
  shape.attributes["dilations"] = std::vector<int64_t>{1, 1};
  shape.attributes["group"] = int64_t{1};
  shape.x = {1, size, size, in};
  shape.weight = {out, kernel, kernel, in};
  shape.y = {1, result, result, out};
  shape.flops = 2.0 * static_cast<double>(result * result * out * in * kernel * kernel);
  return shape;
}

Shape GroupsShape(int64_t size, int64_t channels, int64_t groups, int64_t kernel, int64_t stride) {
  Shape shape = ConvShape(size, channels, channels, kernel, stride);
  const std::string kind = groups == channels ? "Depthwise" : fmt::format("Conv of {} groups", groups);
  shape.text = fmt::format("{} {}x{} C{} k{} s{}", kind, size, size, channels, kernel, stride);
  shape.attributes["group"] = groups;
  shape.weight.back() = channels / groups;
  shape.flops /= static_cast<double>(groups);
  return shape;
}

Tensor Random(const Dims& dims, std::mt19937& random) {
  Tensor tensor(DType::kFloat32, dims);
  std::normal_distribution<float> normal;
  for (float& v : tensor.Span<float>()) v = normal(random);
  return tensor;
}

struct Runner {
  std::string label;
  std::string group;  // what it is compared within
  bool dense = false;
  std::unique_ptr<KernelCase> problem;
  std::unique_ptr<PreparedKernel> kernel;
  Tensor workspace;
  std::vector<double> seconds;

  double Fastest() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double Median() {
    std::nth_element(seconds.begin(), seconds.begin() + static_cast<long>(seconds.size() / 2), seconds.end());
    return seconds[seconds.size() / 2];
  }
};

// The operator and operands of a shape in one type. int8 stands for u8 x, s8 weights and requantisation to u8.
enum class Type : uint8_t { kF32, kBf16, kInt8 };
std::string_view Name(Type type) {
  return type == Type::kF32 ? "f32" : type == Type::kBf16 ? "bf16" : "int8";
}

struct Operands {
  std::string op;
  std::map<std::string, Attribute> attributes;
  std::vector<Tensor> tensors;
};

Tensor ToCodes(const Tensor& f32, DType dtype) {
  Tensor codes(dtype, f32.dims());
  const float zero = dtype == DType::kUInt8 ? 128 : 0;
  for (int64_t i = 0; i < f32.NumElements(); ++i) {
    const float v = f32.Data<float>()[i];
    const float code =
        v == 0 ? 0 : v * 40 + (v > 0 ? 1 : -1);  // a zero of the pattern stays one, and no other becomes one
    codes.Data<uint8_t>()[i] = static_cast<uint8_t>(static_cast<int>(std::clamp(code, -127.0F, 127.0F) + zero));
  }
  return codes;
}

Operands MakeOperands(const Shape& shape, Type type, Pattern pattern, bool paired, bool residual = false) {
  std::mt19937 random(17);
  Operands operands = {shape.op, shape.attributes, {}};
  Tensor x = Random(shape.x, random), weight = Random(shape.weight, random), bias = Random({shape.weight[0]}, random);
  if (pattern == Pattern::kTwoFour) MakeTwoFour(weight, random);
  if (pattern == Pattern::kTwoFour && paired) MakePaired(weight);
  if (type == Type::kF32) operands.tensors = {x, weight, bias};
  if (type == Type::kBf16) operands.tensors = {ToBf16(x), ToBf16(weight), bias};
  if (type == Type::kInt8) {
    operands.op = shape.op == "Linear" ? "QuantizedLinear" : "QuantizedConv";
    Tensor scale(DType::kFloat32, {shape.weight[0]});
    for (float& v : scale.Span<float>()) v = 1e-4F;
    operands.tensors = {ToCodes(x, DType::kUInt8), ToCodes(weight, DType::kInt8), scale, bias};
    operands.attributes["x_zero_point"] = int64_t{128};
    operands.attributes["y_dtype"] = static_cast<int64_t>(DType::kUInt8);
    operands.attributes["y_scale"] = 0.05F;
    operands.attributes["y_zero_point"] = int64_t{128};
    operands.attributes["residual_scale"] = 0.05F;
    operands.attributes["residual_zero_point"] = int64_t{128};
  }
  if (residual) {
    const Tensor added = Random(shape.y, random);
    operands.tensors.push_back(type == Type::kF32    ? added
                               : type == Type::kBf16 ? ToBf16(added)
                                                     : ToCodes(added, DType::kUInt8));
  }
  return operands;
}

bool IsPlain(const KernelDef& kernel) {
  return kernel.isa == Isa::kX86_64 && kernel.name.find("onednn") == std::string_view::npos;
}

struct Options {
  int threads = 1;
  double seconds = 0.5;
  std::string filter, kernels, types = "f32,bf16,int8";
  bool cold = false, paired = false, residual = false, check = false;
  std::array<int, 5> conv = {};    // size, inputs, outputs, kernel, stride
  std::array<int, 3> linear = {};  // rows, inputs, outputs
};

// Fills the caches with something else, which is only read: as other layers' weights are. Lines that were written would
// have to go back to memory while a kernel reads its own.
void EmptyCaches() {
  static const std::vector<int64_t> filling(size_t{48} << 20, 1);
  int64_t sum = 0;
  for (size_t i = 0; i < filling.size(); i += 8) sum += filling[i];
  asm volatile("" : : "r"(sum));
}

void BenchShape(const Shape& shape, const Options& options, ThreadPool& pool) {
  const int threads = options.threads;
  std::vector<Runner> runners;
  for (const Type type : {Type::kF32, Type::kBf16, Type::kInt8}) {
    if (options.types.find(Name(type)) == std::string::npos) continue;
    for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
      const Operands operands = MakeOperands(shape, type, pattern, options.paired, options.residual);
      for (const KernelDef* def : AllKernels()) {
        if (def->name.find(options.kernels) == std::string_view::npos) continue;
        auto problem = std::make_unique<KernelCase>(operands.op, operands.attributes, operands.tensors,
                                                    operands.tensors[0].dtype(), shape.y, pattern, threads);
        if (type == Type::kInt8) problem->SetConstant(2), problem->SetConstant(3);
        const auto candidates = CandidateKernels(problem->problem, nullptr);
        if (std::find(candidates.begin(), candidates.end(), def) == candidates.end()) continue;
        const bool dense = def->name.find("24") == std::string_view::npos;
        if (IsPlain(*def) || dense == (pattern == Pattern::kTwoFour)) continue;
        auto prepared = def->prepare(problem->problem, problem->cache);
        if (!prepared.ok()) {
          fmt::print("  {}: {}\n", def->name, prepared.status().message());
          continue;
        }
        Runner runner;
        runner.label = fmt::format("{} {}", Name(type), def->name);
        runner.group = Name(type);
        runner.dense = dense;
        runner.problem = std::move(problem);
        runner.kernel = std::move(prepared).value();
        runner.workspace = WorkspaceFor(*runner.kernel);
        runners.push_back(std::move(runner));
      }
    }
  }
  const auto start = Clock::now();
  do {
    for (Runner& runner : runners) {
      if (options.cold) {
        EmptyCaches();
        pool.Run(threads, [](int /*part*/) {});  // threads that fell asleep meanwhile
      } else {
        runner.problem->Run(*runner.kernel, runner.workspace, pool);  // the weight back into the cache
      }
      const auto before = Clock::now();
      runner.problem->Run(*runner.kernel, runner.workspace, pool);
      runner.seconds.push_back(std::chrono::duration<double>(Clock::now() - before).count());
    }
  } while (std::chrono::duration<double>(Clock::now() - start).count() < options.seconds);
  struct Times {
    double median, fastest;
  };
  std::map<std::string, Times> dense_times;
  for (Runner& runner : runners) {
    if (!runner.dense) continue;
    const Times times = {runner.Median(), runner.Fastest()};
    auto [entry, added] = dense_times.try_emplace(runner.group, times);
    entry->second.median = std::min(entry->second.median, times.median);
    entry->second.fastest = std::min(entry->second.fastest, times.fastest);
  }
  fmt::print("{}\n", shape.text);
  for (Runner& runner : runners) {
    const Times times = {runner.Median(), runner.Fastest()};
    const auto dense = dense_times.find(runner.group);
    fmt::print("  {:<28} median {:9.1f} us, fastest {:9.1f} us {:6.0f} GOP/s", runner.label, times.median * 1e6,
               times.fastest * 1e6, shape.flops / times.fastest * 1e-9);
    if (dense != dense_times.end()) {
      fmt::print("   of dense: {:.2f} {:.2f}", times.median / dense->second.median,
                 times.fastest / dense->second.fastest);
    }
    fmt::print("\n");
  }
}

// Whether each kernel of a matrix product or convolution that this CPU can run is a candidate for some shape.
int Check(const std::vector<Shape>& shapes) {
  const auto computes_product = [](const KernelDef& kernel) {
    for (const std::string_view op : {"Linear", "ChannelsLastConv", "QuantizedLinear", "QuantizedConv"}) {
      if (std::find(kernel.ops.begin(), kernel.ops.end(), op) != kernel.ops.end()) return true;
    }
    return false;
  };
  std::map<std::string_view, bool> found;
  for (const KernelDef* kernel : AllKernels()) {
    if (computes_product(*kernel) && !IsPlain(*kernel) && kernel->isa <= Cpu().isa) found[kernel->name] = false;
  }
  for (const Shape& shape : shapes) {
    for (const Type type : {Type::kF32, Type::kBf16, Type::kInt8}) {
      for (const Pattern pattern : {Pattern::kDense, Pattern::kTwoFour}) {
        const Operands operands = MakeOperands(shape, type, pattern, false);
        KernelCase problem(operands.op, operands.attributes, operands.tensors, operands.tensors[0].dtype(), shape.y,
                           pattern, 1);
        if (type == Type::kInt8) problem.SetConstant(2), problem.SetConstant(3);
        for (const KernelDef* kernel : CandidateKernels(problem.problem, nullptr)) {
          if (found.count(kernel->name) > 0) found[kernel->name] = true;
        }
      }
    }
  }
  int missing = 0;
  for (const auto& [name, reached] : found) {
    fmt::print("{:<28} {}\n", name, reached ? "benchmarked" : "NOT REACHED, or the CPU lacks a feature");
    missing += reached ? 0 : 1;
  }
  return missing == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Times every kernel that computes a product or a convolution against the best dense one of its type");
  app.add_option("--threads", options.threads)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of measurement a shape and type")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--filter", options.filter, "Only shapes whose text contains this");
  app.add_option("--kernels", options.kernels, "Only kernels whose name contains this");
  app.add_option("--types", options.types, "Of f32, bf16, int8")->capture_default_str();
  app.add_option("--paired", options.paired, "1: two outputs each share a mask");
  app.add_option("--residual", options.residual, "1: another operand is added to the sums");
  app.add_option("--cold", options.cold, "1: weights and activations come from memory");
  app.add_option("--check", options.check, "1: times nothing; fails if a product kernel of this CPU has no shape here");
  app.add_option("--conv", options.conv, "One convolution: SIZE,INPUTS,OUTPUTS,KERNEL,STRIDE")->delimiter(',');
  app.add_option("--linear", options.linear, "One product: ROWS,INPUTS,OUTPUTS")->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  ConfigureLibraries();
  ThreadPool pool(options.threads);
  if (const auto [size, in, out, kernel, stride] = options.conv; size > 0) {
    BenchShape(ConvShape(size, in, out, kernel, stride), options, pool);
    return 0;
  }
  if (const auto [rows, in, out] = options.linear; rows > 0) {
    BenchShape(LinearShape(rows, out, in, ""), options, pool);
    return 0;
  }
  std::vector<Shape> shapes;
  for (const int64_t rows : {1, 16, 128, 1024}) {
    shapes.push_back(LinearShape(rows, 384, 384, ""));
    shapes.push_back(LinearShape(rows, 1536, 384, "Gelu"));
    shapes.push_back(LinearShape(rows, 384, 1536, ""));
  }
  shapes.push_back(LinearShape(720, 512, 1152, ""));
  shapes.push_back(LinearShape(120, 768, 768, ""));
  shapes.push_back(LinearShape(120, 768, 3072, ""));
  shapes.push_back(LinearShape(3120, 256, 64, ""));
  for (const int64_t rows : {1, 4, 16}) shapes.push_back(LinearShape(rows, 4096, 4096, ""));
  shapes.push_back(LinearShape(128, 768, 3072, ""));
  shapes.push_back(LinearShape(128, 1024, 2048, ""));
  shapes.push_back(LinearShape(128, 1024, 4096, ""));
  shapes.push_back(ConvShape(56, 64, 64, 3, 1));
  shapes.push_back(ConvShape(28, 128, 128, 3, 1));
  shapes.push_back(ConvShape(14, 256, 256, 3, 1));
  shapes.push_back(ConvShape(7, 512, 512, 3, 1));
  shapes.push_back(ConvShape(56, 256, 64, 1, 1));
  shapes.push_back(ConvShape(14, 1024, 256, 1, 1));
  shapes.push_back(ConvShape(56, 128, 128, 3, 2));
  shapes.push_back(GroupsShape(14, 256, 4, 1, 1));
  shapes.push_back(GroupsShape(56, 144, 144, 3, 1));
  shapes.push_back(GroupsShape(14, 576, 576, 3, 2));
  if (options.check) {
    std::erase_if(shapes, [](const Shape& shape) { return shape.flops > 3e8; });  // the small ones do
    return Check(shapes);
  }
  for (const Shape& shape : shapes) {
    if (shape.text.find(options.filter) != std::string::npos) BenchShape(shape, options, pool);
  }
  return 0;
}

}  // namespace
}  // namespace tamis

int main(int argc, char** argv) {
  return tamis::Main(argc, argv);
}
