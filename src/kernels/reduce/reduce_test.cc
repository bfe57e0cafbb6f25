#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

// Reduces the axes [first, last).
KernelCase ReduceCase(const std::string& op, const Dims& dims, size_t first, size_t last, DType in, DType out) {
  KernelCase c;
  c.name = fmt::format("{} {}{} to {} axes {} to {}", op, Name(in), ToString(dims), Name(out), first, last);
  c.node = {op, op[0] == 'C' ? std::string(kTamisDomain) : "", {}};
  c.inputs = {RandomTensor(in, dims, 31)};
  Dims kept = dims;
  std::vector<int64_t> axes;
  int64_t rows = 1, columns = 1;
  for (size_t i = first; i < last; ++i) {
    axes.push_back(static_cast<int64_t>(i) - (i % 2 == 0 ? 0 : static_cast<int64_t>(dims.size())));
    rows *= dims[i];
    kept[i] = 1;
  }
  for (size_t i = last; i < dims.size(); ++i) columns *= dims[i];
  if (op[0] != 'C') {
    c.inputs.push_back(Tensor::Int64s(axes));
    c.constants = {1};
  }
  c.outputs = {{out, kept}};
  const auto x = Doubles(c.inputs[0]);
  c.expected = {{}};
  for (int64_t i = 0; i < NumElements(kept); ++i) {
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r) {
      sum += x[static_cast<size_t>((i / columns * rows + r) * columns + i % columns)];
    }
    c.expected[0].push_back(op == "ReduceSum" ? sum : sum / static_cast<double>(rows));
  }
  c.absolute = 2e-7 * static_cast<double>(rows) * (op == "ReduceSum" ? 1 : 1.0 / 8);
  c.absolute = std::max(c.absolute, 1e-6);
  return c;
}

const char* const kOperators[] = {"ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
                                  "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};

// Axes that are not neighbours, every operator and element type, and values that are not finite.
void AddAnyAxesCases(std::vector<KernelCase>& cases) {
  const std::vector<int64_t> axes[] = {{0}, {1}, {3}, {0, 2}, {1, 3}, {0, 3}, {0, 2, 3}, {0, 1, 2, 3}};
  for (const char* op : kOperators) {
    const std::string name = op;
    for (const auto& reduced : axes) {
      const auto count = static_cast<int64_t>(reduced.size());
      // Near 1, so that products of hundreds of factors stay numbers.
      const Tensor x = RandomTensor(DType::kFloat32, {3, 4, 5, 70}, 81, 0.97, 1.03);
      cases.push_back(ReferenceCase({op, "", {}}, {x, Int64Tensor({count}, reduced)}, {1}, 1, 1e-4));
      cases.back().relative = 1e-4;
      for (const DType dtype : {DType::kFloat64, DType::kInt64, DType::kInt32, DType::kInt8, DType::kUInt8}) {
        const bool floats = dtype == DType::kFloat64;
        if (!floats && name.find("Log") != std::string::npos) continue;
        if (!floats && name == "ReduceL2") continue;  // its root may end on either side of an integer
        const Tensor integers = RandomIndices(DType::kInt64, {3, 4, 5, 70}, 82, dtype == DType::kUInt8 ? 0 : 1, 2);
        cases.push_back(ReferenceCase(
            {op, "", {}}, {floats ? Converted(x, dtype) : Converted(integers, dtype), Int64Tensor({count}, reduced)},
            {1}, 1, floats ? 1e-9 : 0));
        if (floats) cases.back().relative = 1e-9;
      }
    }
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float special : {infinity, -infinity, std::nanf("")}) {
      if (name == "ReduceProd" || name == "ReduceLogSum") continue;
      for (const int64_t axis : {0, 1}) {
        Tensor x = RandomTensor(DType::kFloat32, {70, 130}, 83);
        x.Data<float>()[5 * 130 + 77] = special;
        x.Data<float>()[9 * 130 + 129] = special;
        cases.push_back(ReferenceCase({op, "", {}}, {x, Int64Tensor({1}, {axis})}, {1}, 1, 1e-4));
        cases.back().name += fmt::format(" with {}", special);
      }
    }
  }
  const Tensor none(DType::kFloat32, {3, 0, 4});
  for (const char* op : {"ReduceSum", "ReduceProd", "ReduceMax", "ReduceLogSumExp"}) {
    cases.push_back(ReferenceCase({op, "", {}}, {none, Int64Tensor({1}, {1})}, {1}));
    cases.push_back(ReferenceCase({op, "", {}}, {none, Int64Tensor({1}, {0})}, {1}));
  }
  Tensor flags = Converted(RandomIndices(DType::kInt64, {6, 40}, 84, 0, 1), DType::kBool);
  for (const char* op : {"ReduceMax", "ReduceMin"}) {
    cases.push_back(ReferenceCase({op, "", {}}, {flags, Int64Tensor({1}, {0})}, {1}));
  }
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) {
    cases.push_back(ReferenceCase({op, "", {}}, {RandomTensor(DType::kFloat32, {2, 5, 9, 14}, 85)}, {}, 1, 1e-5));
  }
}

TEST(ReduceKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const DType in : {DType::kFloat32, DType::kBFloat16}) {
    for (const DType out : {DType::kFloat32, DType::kBFloat16}) {
      for (const char* op : {"ReduceMean", "ReduceSum"}) {
        cases.push_back(ReduceCase(op, {3, 128, 384}, 1, 2, in, out));
        cases.push_back(ReduceCase(op, {3, 5, 131}, 1, 2, in, out));
        cases.push_back(ReduceCase(op, {700, 33}, 1, 2, in, out));
        cases.push_back(ReduceCase(op, {2, 3, 4, 300}, 2, 4, in, out));
        cases.push_back(ReduceCase(op, {7, 5}, 0, 2, in, out));
        cases.push_back(ReduceCase(op, {1, 1}, 1, 2, in, out));
      }
      cases.push_back(ReduceCase("ChannelsLastGlobalAveragePool", {2, 7, 7, 2048}, 1, 3, in, out));
      cases.push_back(ReduceCase("ChannelsLastGlobalAveragePool", {1, 5, 19}, 1, 2, in, out));
    }
  }
  KernelCase attribute = ReduceCase("ReduceMean", {3, 4, 5}, 2, 3, DType::kFloat32, DType::kFloat32);
  attribute.inputs.pop_back();
  attribute.constants.clear();
  attribute.node.attributes["axes"] = std::vector<int64_t>{-1};
  cases.push_back(attribute);
  for (const char* op : {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"}) {
    const Tensor x = RandomTensor(DType::kFloat32, {3, 5, 600}, 71);
    for (const std::vector<int64_t>& axes : {std::vector<int64_t>{2}, {1}, {0, 1}, {0, 1, 2}}) {
      if (std::string(op) == "ReduceProd" && axes.back() == 2) continue;  // 600 factors
      const auto count = static_cast<int64_t>(axes.size());
      cases.push_back(ReferenceCase({op, "", {}}, {x, Int64Tensor({count}, axes)}, {1}, 1, 1e-4));
      cases.back().relative = 1e-5;
    }
  }
  AddAnyAxesCases(cases);
  CheckFamily("reduce", cases);
}

TEST(ReduceKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = ReduceCase("ReduceMean", {3, 4, 5}, 2, 3, DType::kFloat32, DType::kFloat32);
  c.constants = {};
  ExpectRefused("reduce", c, "not constant");
}

}  // namespace
}  // namespace tamis::kernel_test
