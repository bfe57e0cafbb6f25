#include <gtest/gtest.h>

#include <numeric>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

// Elements 0, 1, 2, ... so that every misplaced one shows; bytes wrap around.
Tensor Counting(DType dtype, Dims dims) {
  Tensor tensor(dtype, std::move(dims));
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    switch (dtype) {
      case DType::kFloat32:
        tensor.Data<float>()[i] = static_cast<float>(i);
        break;
      case DType::kInt64:
        tensor.Data<int64_t>()[i] = i;
        break;
      case DType::kUInt8:
        tensor.Data<uint8_t>()[i] = static_cast<uint8_t>(i * 7);
        break;
      default:
        tensor.Data<uint16_t>()[i] = static_cast<uint16_t>(i % 0x7f00);
        break;  // bf16 without NaNs
    }
  }
  return tensor;
}

// Fills `expected` by asking for the input index of every output index.
template <class F>
void Expect(KernelCase& c, size_t input, const Dims& out, F index_of) {
  const auto x = Doubles(c.inputs[input]);
  const Dims& dims = c.inputs[input].dims();
  std::vector<double> values;
  for (int64_t i = 0; i < NumElements(out); ++i) {
    Dims at(out.size());
    int64_t rest = i;
    for (size_t axis = out.size(); axis-- > 0;) {
      at[axis] = rest % out[axis];
      rest /= out[axis];
    }
    const Dims from = index_of(at);
    int64_t flat = 0;
    for (size_t axis = 0; axis < dims.size(); ++axis) flat = flat * dims[axis] + from[axis];
    values.push_back(x[static_cast<size_t>(flat)]);
  }
  c.outputs.push_back({c.inputs[input].dtype(), out});
  c.expected.push_back(std::move(values));
}

KernelCase TransposeCase(const Tensor& x, const std::vector<int64_t>& perm) {
  KernelCase c;
  c.name = fmt::format("Transpose {}{} by {}", Name(x.dtype()), ToString(x.dims()), ToString(perm));
  c.node = {"Transpose", "", {{"perm", perm}}};
  c.inputs = {x};
  Dims out;
  for (const int64_t axis : perm) out.push_back(x.dims()[static_cast<size_t>(axis)]);
  Expect(c, 0, out, [&](const Dims& at) {
    Dims from(at.size());
    for (size_t i = 0; i < at.size(); ++i) from[static_cast<size_t>(perm[i])] = at[i];
    return from;
  });
  return c;
}

KernelCase SliceCase(const Tensor& x, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
                     const std::vector<int64_t>& axes, const std::vector<int64_t>& steps, const Dims& first,
                     const Dims& out) {
  KernelCase c;
  c.name = fmt::format("Slice {}{} starts {} steps {}", Name(x.dtype()), ToString(x.dims()), ToString(starts),
                       ToString(steps));
  c.node = {"Slice", "", {}};
  c.inputs = {x, Tensor::Int64s(starts), Tensor::Int64s(ends), Tensor::Int64s(axes), Tensor::Int64s(steps)};
  c.constants = {1, 2, 3, 4};
  Dims step(x.dims().size(), 1);
  for (size_t i = 0; i < axes.size(); ++i)
    step[static_cast<size_t>(axes[i] < 0 ? axes[i] + x.rank() : axes[i])] = steps[i];
  Expect(c, 0, out, [&](const Dims& at) {
    Dims from(at.size());
    for (size_t i = 0; i < at.size(); ++i) from[i] = first[i] + at[i] * step[i];
    return from;
  });
  return c;
}

TEST(TransposeKernels, MatchTheReference) {
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt64, DType::kUInt8}) {
    cases.push_back(TransposeCase(Counting(dtype, {}), {}));
    cases.push_back(TransposeCase(Counting(dtype, {37, 53}), {1, 0}));
    cases.push_back(TransposeCase(Counting(dtype, {3, 64, 16}), {0, 2, 1}));
    cases.push_back(TransposeCase(Counting(dtype, {2, 3, 15, 17}), {0, 2, 3, 1}));   // NCHW to NHWC
    cases.push_back(TransposeCase(Counting(dtype, {2, 70, 61, 65}), {0, 3, 1, 2}));  // and back
    cases.push_back(TransposeCase(Counting(dtype, {1, 2, 7, 9}), {0, 2, 3, 1}));
    cases.push_back(TransposeCase(Counting(dtype, {3, 4, 21}), {0, 2, 1}));
    cases.push_back(TransposeCase(Counting(dtype, {1, 3, 160, 129}), {0, 2, 3, 1}));    // worth two threads
    cases.push_back(TransposeCase(Counting(dtype, {2, 9, 4, 8}), {0, 2, 1, 3}));        // BSHD to BHSD
    for (const int64_t width : {1, 2, 3, 4, 6, 11, 12, 16, 17, 24, 32, 63, 65, 128}) {  // runs of all kinds of sizes
      cases.push_back(TransposeCase(Counting(dtype, {2, 9, 3, width}), {2, 0, 1, 3}));
    }
    cases.push_back(TransposeCase(Counting(dtype, {35, 40, 8, 12}), {2, 0, 1, 3}));  // threads that begin within a loop
    cases.push_back(TransposeCase(Counting(dtype, {2, 3, 4, 5, 6}), {4, 2, 0, 3, 1}));
    cases.push_back(TransposeCase(Counting(dtype, {2, 0, 4}), {2, 1, 0}));
    cases.push_back(TransposeCase(Counting(dtype, {1, 5, 1, 4}), {2, 3, 0, 1}));

    const Tensor x = Counting(dtype, {4, 6, 10});
    cases.push_back(SliceCase(x, {1}, {3}, {0}, {1}, {1, 0, 0}, {2, 6, 10}));
    cases.push_back(SliceCase(x, {-3, 1}, {100, 9}, {-1, 1}, {1, 2}, {0, 1, 7}, {4, 3, 3}));
    cases.push_back(SliceCase(x, {100, -1}, {-100, -100}, {0, 2}, {-1, -3}, {3, 0, 9}, {4, 6, 4}));
    cases.push_back(SliceCase(x, {2}, {2}, {1}, {1}, {0, 2, 0}, {4, 0, 10}));

    KernelCase concat;
    concat.name = "Concat";
    concat.node = {"Concat", "", {{"axis", int64_t{-2}}}};
    const Tensor rows = Counting(dtype, {3, 7, 5});
    concat.inputs = {Counting(dtype, {3, 2, 5}), rows, Counting(dtype, {3, 0, 5})};
    concat.outputs = {{dtype, {3, 9, 5}}};
    concat.expected = {{}};
    const auto head = Doubles(concat.inputs[0]), tail = Doubles(rows);
    for (size_t i = 0; i < 3; ++i) {
      for (size_t j = 0; j < 45; ++j) concat.expected[0].push_back(j < 10 ? head[i * 10 + j] : tail[i * 35 + j - 10]);
    }
    cases.push_back(concat);

    KernelCase channels = concat;  // of many pixels, which threads share
    channels.name = "Concat of channels";
    channels.inputs = {Counting(dtype, {45, 50, 8}), Counting(dtype, {45, 50, 0}), Counting(dtype, {45, 50, 21})};
    channels.node = {"Concat", "", {{"axis", int64_t{2}}}};
    channels.outputs = {{dtype, {45, 50, 29}}};
    channels.expected = {{}};
    const auto left = Doubles(channels.inputs[0]), right = Doubles(channels.inputs[2]);
    for (size_t i = 0; i < 45 * 50; ++i) {
      for (size_t j = 0; j < 29; ++j) channels.expected[0].push_back(j < 8 ? left[i * 8 + j] : right[i * 21 + j - 8]);
    }
    cases.push_back(channels);

    KernelCase split;
    split.name = "Split";
    split.node = {"Split", "", {{"axis", int64_t{2}}}};
    split.inputs = {x};
    int64_t first = 0;
    for (const int64_t dim : {4, 1, 5}) {
      Expect(split, 0, {4, 6, dim}, [&](const Dims& at) { return Dims{at[0], at[1], first + at[2]}; });
      first += dim;
    }
    cases.push_back(split);

    KernelCase expand;
    expand.name = "Expand";
    expand.node = {"Expand", "", {}};
    expand.inputs = {Counting(dtype, {3, 1, 5}), Tensor::Int64s(std::vector<int64_t>{2, 1, 4, 1})};
    Expect(expand, 0, {2, 3, 4, 5}, [](const Dims& at) { return Dims{at[1], 0, at[3]}; });
    cases.push_back(expand);
    KernelCase repeat = expand;
    repeat.inputs[0] = Counting(dtype, {2, 1});
    repeat.outputs.clear();
    repeat.expected.clear();
    Expect(repeat, 0, {2, 99}, [](const Dims& at) { return Dims{at[0], 0}; });
    cases.push_back(repeat);

    KernelCase reshape;
    reshape.name = "Reshape";
    reshape.node = {"Reshape", "", {}};
    reshape.inputs = {x, Tensor::Int64s(std::vector<int64_t>{24, 10})};
    reshape.outputs = {{dtype, {24, 10}}};
    reshape.expected = {Doubles(x)};
    cases.push_back(reshape);
  }
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const Tensor deep = RandomTensor(dtype, {2, 36, 5, 19}, 77), wide = RandomTensor(dtype, {2, 5, 6, 38}, 78);
    for (const char* mode : {"DCR", "CRD"}) {
      cases.push_back(
          ReferenceCase({"DepthToSpace", "", {{"blocksize", int64_t{3}}, {"mode", std::string(mode)}}}, {deep}));
      cases.push_back(
          ReferenceCase({"SpaceToDepth", "", {{"blocksize", int64_t{2}}, {"mode", std::string(mode)}}}, {wide}));
    }
    cases.push_back(ReferenceCase({"Tile", "", {}}, {wide, Int64Tensor({4}, {1, 3, 1, 2})}));
    cases.push_back(ReferenceCase({"Tile", "", {}}, {wide, Int64Tensor({4}, {2, 1, 0, 2})}));
    for (const int64_t upper : {0, 1}) {
      cases.push_back(ReferenceCase({"Trilu", "", {{"upper", upper}}}, {wide}));
      for (const int64_t diagonal : {-2, 3, 99}) {
        cases.push_back(ReferenceCase({"Trilu", "", {{"upper", upper}}}, {wide, Int64Tensor({}, {diagonal})}, {1}));
      }
    }
  }
  CheckFamily("transpose", cases);
}

TEST(TransposeKernels, RefuseWhatTheyCannotCompute) {
  const Tensor x = Counting(DType::kFloat32, {4, 6});
  KernelCase c = TransposeCase(x, {1, 0});
  c.node.attributes["perm"] = std::vector<int64_t>{1, 1};
  ExpectRefused("transpose", c, "no permutation");
  c = SliceCase(x, {1}, {3}, {0}, {1}, {1, 0}, {2, 6});
  c.constants = {};
  ExpectRefused("transpose", c, "input 1 is not constant");
  c = SliceCase(x, {1}, {3}, {0}, {1}, {1, 0}, {2, 6});
  c.outputs[0].second = {4, 6};  // one row more than there is
  ExpectRefused("transpose", c, "leaves the input");
}

}  // namespace
}  // namespace tamis::kernel_test
