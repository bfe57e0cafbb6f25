#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "src/kernels/reference_case.h"

namespace tamis::kernel_test {
namespace {

struct AttentionShape {
  int64_t batch, heads, queries, keys, depth, value_depth;
};

constexpr AttentionShape kShapes[] = {{1, 1, 1, 1, 1, 1},      {2, 12, 16, 16, 32, 32}, {1, 3, 65, 65, 64, 64},
                                      {1, 2, 25, 197, 64, 64}, {2, 2, 7, 33, 13, 21},   {1, 2, 50, 5, 80, 3}};

// Hides all keys behind query + offset.
Tensor CausalMask(const AttentionShape& s, int64_t offset) {
  Tensor mask(DType::kFloat32, {s.queries, s.keys});
  for (int64_t i = 0; i < mask.NumElements(); ++i) {
    mask.Data<float>()[i] = i % s.keys <= i / s.keys + offset ? 0 : -std::numeric_limits<float>::infinity();
  }
  return mask;
}

// The case of such a mask, told by attributes instead; without `zeros` a query that sees no key gives NaN.
KernelCase Causal(KernelCase c, int64_t offset, bool zeros) {
  c.inputs.pop_back();
  c.node.attributes["causal"] = int64_t{1};
  c.node.attributes["causal_offset"] = offset;
  c.name += fmt::format(" causal {}", offset);
  if (zeros) {
    c.node.attributes["zero_masked"] = int64_t{1};
    for (double& y : c.expected[0]) y = std::isnan(y) ? 0 : y;
  }
  return c;
}

// softmax(scale * q . k^T + mask) . v in double. `most_off`: how far a result may be from it where the numerators are
// rounded to 255ths, each by half of one and a twentieth, as exponentials err too.
std::vector<double> ExpectedAttention(const AttentionShape& s, const std::vector<Tensor>& inputs, double scale,
                                      double* most_off = nullptr) {
  constexpr double kRounding = 0.55 / 255;
  const auto q = Doubles(inputs[0]), k = Doubles(inputs[1]), v = Doubles(inputs[2]);
  std::vector<double> mask;
  int64_t strides[4] = {};
  if (inputs.size() > 3 && inputs[3].Defined()) {
    mask = Doubles(inputs[3]);
    int64_t stride = 1;
    const Dims& dims = inputs[3].dims();
    for (size_t i = dims.size(); i-- > 0;) {
      strides[4 - dims.size() + i] = dims[i] == 1 ? 0 : stride;
      stride *= dims[i];
    }
  }
  std::vector<double> y;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t r = 0; r < s.queries; ++r) {
      for (int64_t h = 0; h < s.heads; ++h) {
        std::vector<double> scores;
        double top = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int64_t t = 0; t < s.keys; ++t) {
          double dot = 0;
          for (int64_t d = 0; d < s.depth; ++d) {
            dot += q[static_cast<size_t>(((b * s.queries + r) * s.heads + h) * s.depth + d)] *
                   k[static_cast<size_t>(((b * s.keys + t) * s.heads + h) * s.depth + d)];
          }
          dot *= scale;
          if (!mask.empty()) {
            dot += mask[static_cast<size_t>(b * strides[0] + h * strides[1] + r * strides[2] + t * strides[3])];
          }
          scores.push_back(dot);
          top = std::max(top, dot);
        }
        for (double& x : scores) sum += x = std::exp(x - top);
        for (int64_t e = 0; e < s.value_depth; ++e) {
          double value = 0;
          for (int64_t t = 0; t < s.keys; ++t) {
            value += scores[static_cast<size_t>(t)] *
                     v[static_cast<size_t>(((b * s.keys + t) * s.heads + h) * s.value_depth + e)];
          }
          y.push_back(value / sum);
          if (most_off == nullptr || std::isnan(y.back())) continue;
          double off = 0;
          for (int64_t t = 0; t < s.keys; ++t) {
            const double below =
                v[static_cast<size_t>(((b * s.keys + t) * s.heads + h) * s.value_depth + e)] - y.back();
            off += std::abs(below) * (scores[static_cast<size_t>(t)] == 0 ? 0 : kRounding);
          }
          const double least = std::max(sum - kRounding * static_cast<double>(s.keys), 1.0);
          *most_off = std::max(*most_off, off / least);
        }
      }
    }
  }
  return y;
}

KernelCase AttentionCase(const AttentionShape& s, DType dtype, Tensor mask, DType output_dtype) {
  const uint64_t seed = static_cast<uint64_t>(s.queries * 1000 + s.keys);
  const float scale = 1 / std::sqrt(static_cast<float>(s.depth));
  KernelCase c;
  c.node = {"Attention", std::string(kTamisDomain), {{"num_heads", s.heads}, {"scale", scale}}};
  c.inputs = {RandomTensor(dtype, {s.batch, s.queries, s.heads * s.depth}, seed),
              RandomTensor(dtype, {s.batch, s.keys, s.heads * s.depth}, seed + 1),
              RandomTensor(dtype, {s.batch, s.keys, s.heads * s.value_depth}, seed + 2)};
  if (mask.Defined()) c.inputs.push_back(mask);
  c.outputs = {{output_dtype, {s.batch, s.queries, s.heads * s.value_depth}}};
  c.expected = {ExpectedAttention(s, c.inputs, scale)};
  c.name = fmt::format("attention {} B{} H{} S{} T{} D{} E{} mask {} seed {}", Name(dtype), s.batch, s.heads, s.queries,
                       s.keys, s.depth, s.value_depth, ToString(mask.dims()), seed);
  // |v| <= 2. The weights sum to 1; each carries the error of its score (depth products) or, in bf16, 2^-9.
  c.absolute = dtype == DType::kBFloat16 ? 2.0 / 256 : 1e-6 * static_cast<double>(s.depth + s.keys);
  return c;
}

// [B, S, H*D] as [B, H, S, D].
Tensor HeadsFirst(const Tensor& rows, int64_t heads) {
  const int64_t batch = rows.dim(0), count = rows.dim(1), depth = rows.dim(2) / heads;
  Tensor turned(rows.dtype(), {batch, heads, count, depth});
  const size_t bytes = static_cast<size_t>(depth) * ByteSize(rows.dtype(), 1);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t s = 0; s < count; ++s) {
      for (int64_t h = 0; h < heads; ++h) {
        std::memcpy(turned.raw() + static_cast<size_t>((b * heads + h) * count + s) * bytes,
                    rows.raw() + static_cast<size_t>((b * count + s) * heads + h) * bytes, bytes);
      }
    }
  }
  return turned;
}

// Every `shared` heads of k and v alike: the case with those heads once, which gives the same.
Tensor FirstOfShared(const Tensor& rows, int64_t heads, int64_t shared) {
  const int64_t depth = rows.dim(2) / heads;
  Tensor few(rows.dtype(), {rows.dim(0), rows.dim(1), rows.dim(2) / shared});
  const size_t bytes = static_cast<size_t>(depth) * ByteSize(rows.dtype(), 1);
  for (int64_t row = 0; row < rows.dim(0) * rows.dim(1); ++row) {
    for (int64_t h = 0; h < heads / shared; ++h) {
      std::memcpy(few.raw() + static_cast<size_t>(row * (heads / shared) + h) * bytes,
                  rows.raw() + static_cast<size_t>(row * heads + h * shared) * bytes, bytes);
    }
  }
  return few;
}
Tensor Shared(const Tensor& few, int64_t few_heads, int64_t shared) {
  const int64_t depth = few.dim(2) / few_heads;
  Tensor rows(few.dtype(), {few.dim(0), few.dim(1), few.dim(2) * shared});
  const size_t bytes = static_cast<size_t>(depth) * ByteSize(few.dtype(), 1);
  for (int64_t row = 0; row < few.dim(0) * few.dim(1); ++row) {
    for (int64_t h = 0; h < few_heads * shared; ++h) {
      std::memcpy(rows.raw() + static_cast<size_t>(row * few_heads * shared + h) * bytes,
                  few.raw() + static_cast<size_t>(row * few_heads + h / shared) * bytes, bytes);
    }
  }
  return rows;
}

// Operands that are codes of their own, and leave to round to them.
void PutOnCodes(std::vector<Tensor>* inputs, std::map<std::string, Attribute>* attributes) {
  const std::vector<std::pair<std::string, int64_t>> operands = {{"q", 100}, {"k", 128}, {"v", 141}};
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto& [name, zero] = operands[i];
    (*attributes)[name + "_scale"] = 1.0f / 32;
    (*attributes)[name + "_zero_point"] = zero;
    Tensor numbers(DType::kFloat32, (*inputs)[i].dims());
    const auto values = Doubles((*inputs)[i]);
    for (size_t e = 0; e < values.size(); ++e)
      numbers.Span<float>()[e] = static_cast<float>(std::round(values[e] * 32) / 32);
    (*inputs)[i] = Converted(numbers, (*inputs)[i].dtype());
  }
}

KernelCase OnCodes(KernelCase c, const AttentionShape& s) {
  PutOnCodes(&c.inputs, &c.node.attributes);
  double off = 0;
  c.expected = {ExpectedAttention(s, c.inputs, static_cast<double>(std::get<float>(c.node.attributes["scale"])), &off)};
  c.absolute += off;
  c.name += " on codes";
  return c;
}

TEST(AttentionKernels, OperandsThatMayBeRounded) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const AttentionShape& s : kShapes) {
      cases.push_back(OnCodes(AttentionCase(s, dtype, {}, dtype), s));
      for (const Dims& dims :
           {Dims{s.batch, 1, 1, s.keys}, Dims{s.batch, s.heads, s.queries, s.keys}, Dims{s.queries, 1}}) {
        cases.push_back(OnCodes(AttentionCase(s, dtype, RandomTensor(DType::kFloat32, dims, 7), DType::kFloat32), s));
      }
      cases.push_back(
          OnCodes(AttentionCase(s, dtype, RandomTensor(DType::kBFloat16, {s.batch, 1, 1, s.keys}, 8), dtype), s));
      Tensor mask(DType::kFloat32, {s.batch, 1, 1, s.keys});  // every third key
      for (int64_t i = 0; i < mask.NumElements(); ++i) mask.Data<float>()[i] = i % s.keys % 3 == 0 ? 0 : -infinity;
      cases.push_back(OnCodes(AttentionCase(s, dtype, mask, dtype), s));
    }
    const AttentionShape s{2, 2, 27, 85, 16, 24};
    for (const int64_t offset : {int64_t{0}, int64_t{58}, int64_t{-2}}) {
      const KernelCase masked = OnCodes(AttentionCase(s, dtype, CausalMask(s, offset), DType::kFloat32), s);
      cases.push_back(Causal(masked, offset, false));
      if (offset < 0) cases.push_back(Causal(masked, offset, true));
    }
  }
  CheckFamily("attention", cases, /*need_all=*/false);
}

const KernelDef* CodesKernel() {
  const KernelDef* kernel = FindKernel("attention_codes_avx512");
  return kernel != nullptr && MachineHas(kernel->feature) ? kernel : nullptr;
}

// Numerators that are all the largest, or one and nothing: what is left is exact.
TEST(AttentionKernels, SumsOfCodesAreExact) {
  if (CodesKernel() == nullptr) GTEST_SKIP() << "no AVX512_VNNI here";
  const AttentionShape s{1, 3, 40, 40, 40, 20};
  KernelCase equal = OnCodes(AttentionCase(s, DType::kFloat32, {}, DType::kFloat32), s);
  for (float& x : equal.inputs[0].Span<float>()) x = 0;
  equal.expected = {ExpectedAttention(s, equal.inputs, 1)};
  equal.absolute = 1e-6;
  EXPECT_TRUE(CheckKernel(*CodesKernel(), equal));

  KernelCase single = OnCodes(AttentionCase(s, DType::kFloat32, {}, DType::kFloat32), s);  // query i finds key i
  single.absolute = equal.absolute;
  for (float& x : single.inputs[0].Span<float>()) x = 0;
  for (float& x : single.inputs[1].Span<float>()) x = 0;
  for (int64_t row = 0; row < s.queries; ++row) {
    for (int64_t h = 0; h < s.heads; ++h) {
      const int64_t at = (row * s.heads + h) * s.depth + row;
      single.inputs[0].Data<float>()[at] = single.inputs[1].Data<float>()[at] = 1;
    }
  }
  single.node.attributes["scale"] = 40.0f;
  single.expected = {ExpectedAttention(s, single.inputs, 40)};
  EXPECT_TRUE(CheckKernel(*CodesKernel(), single));
}

// Operands beyond what codes reach are as large as the last code, and numbers between codes are the nearer one.
TEST(AttentionKernels, OperandsAreRoundedAsQuantizeLinearDoes) {
  if (CodesKernel() == nullptr) GTEST_SKIP() << "no AVX512_VNNI here";
  const AttentionShape s{1, 2, 30, 50, 24, 24};
  const auto make = [&] {
    return OnCodes(AttentionCase(s, DType::kFloat32, {}, DType::kFloat32), s);
  };  // memory of its own
  KernelCase c = make();
  for (size_t i = 0; i < 3; ++i) {
    for (int64_t e = 0; e < c.inputs[i].NumElements(); ++e) {
      c.inputs[i].Data<float>()[e] += (e % 3 - 1) * 0.49f / 32;
    }
  }
  EXPECT_TRUE(CheckKernel(*CodesKernel(), c));

  const float infinity = std::numeric_limits<float>::infinity();
  KernelCase far = make(), bounded = make();
  for (size_t i = 0; i < 3; ++i) {
    const float numbers[] = {1e3f, -1e3f, infinity, -infinity, 1e30f, -1e30f};
    const std::string name = std::string("qkv").substr(i, 1) + "_zero_point";
    const auto zero = static_cast<float>(std::get<int64_t>(c.node.attributes[name]));
    for (int64_t e = 0; e < 6; ++e) {
      far.inputs[i].Data<float>()[e * 7] = numbers[e];
      bounded.inputs[i].Data<float>()[e * 7] = e % 2 == 0 ? (255 - zero) / 32 : -zero / 32;
    }
  }
  const double scale = std::get<float>(c.node.attributes["scale"]);
  double off = 0;
  far.expected = {ExpectedAttention(s, bounded.inputs, scale, &off)};
  far.absolute = off + 1e-4;
  EXPECT_TRUE(CheckKernel(*CodesKernel(), far));
}

// Windows of all widths, from either end, with and without masks; blocks that see no key at all.
TEST(AttentionKernels, WindowsCapsAndMeans) {
  struct Sight {
    bool causal, windowed, from_end;
    int64_t causal_offset, window_offset;
  };
  const std::vector<Sight> sights = {{true, false, true, 0, 0},    {true, true, false, 0, -7},
                                     {false, true, true, 0, -3},   {true, true, true, 5, -40},
                                     {true, true, false, 60, 50},  {true, true, true, 2, 1},
                                     {true, false, false, -30, 0}, {true, true, false, 0, -90}};
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const Sight& sight : sights) {
      for (const bool masked : {false, true}) {
        std::map<std::string, Attribute> attributes = {{"num_heads", int64_t{2}}, {"scale", 0.5f}};
        if (sight.causal) attributes["causal"] = int64_t{1};
        if (sight.windowed) attributes["windowed"] = int64_t{1};
        if (sight.from_end) attributes["from_end"] = int64_t{1};
        attributes["causal_offset"] = sight.causal_offset;
        attributes["window_offset"] = sight.window_offset;
        attributes[masked ? "mean_masked" : "zero_masked"] = int64_t{1};
        if (masked) attributes["softcap"] = 1.5f;
        std::vector<Tensor> inputs = {RandomTensor(dtype, {2, 61, 36}, 61), RandomTensor(dtype, {2, 83, 36}, 62),
                                      RandomTensor(dtype, {2, 83, 40}, 63)};
        if (masked) {
          inputs.push_back(RandomTensor(DType::kFloat32, {2, 1, 1, 83}, 64));
          for (int64_t t = 0; t < 9; ++t) inputs[3].Data<float>()[t] = std::numeric_limits<float>::lowest();
        }
        KernelCase c = ReferenceCase({"Attention", std::string(kTamisDomain), attributes}, inputs);
        c.name += fmt::format(" causal {} {} window {} {} from end {} masked {}", sight.causal, sight.causal_offset,
                              sight.windowed, sight.window_offset, sight.from_end, masked);
        // As in AttentionCase; expected values of bf16 are rounded themselves.
        c.absolute = dtype == DType::kBFloat16 ? 3.0 / 256 : 1e-6 * (18 + 83);
        cases.push_back(c);
        // Weights of which none is far below another lose little when they are rounded to 255ths.
        attributes.erase("softcap");
        attributes["scale"] = 0.05f;
        PutOnCodes(&inputs, &attributes);
        KernelCase rounded = ReferenceCase({"Attention", std::string(kTamisDomain), attributes}, inputs);
        rounded.name = c.name + " on codes";
        rounded.absolute = 0.02;
        cases.push_back(rounded);
      }
    }
  }
  CheckFamily("attention", cases);
}

TEST(AttentionKernels, OtherOrdersSharedHeadsAndCausality) {
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const float scale = 0.25f;
    const AttentionShape s{2, 6, 27, 35, 16, 24};
    KernelCase c = AttentionCase(s, dtype, {}, dtype);
    c.node.attributes["scale"] = scale;
    const Tensor k = FirstOfShared(c.inputs[1], 6, 3), v = FirstOfShared(c.inputs[2], 6, 3);
    c.expected = {ExpectedAttention(s, {c.inputs[0], Shared(k, 2, 3), Shared(v, 2, 3)}, scale)};
    c.node.attributes["kv_heads"] = int64_t{2};
    c.inputs[1] = k;
    c.inputs[2] = v;
    c.name += " shared";
    cases.push_back(c);
    KernelCase coded = AttentionCase(s, dtype, {}, dtype);
    PutOnCodes(&coded.inputs, &coded.node.attributes);
    coded.inputs[1] = FirstOfShared(coded.inputs[1], 6, 3);
    coded.inputs[2] = FirstOfShared(coded.inputs[2], 6, 3);
    double off = 0;
    coded.expected = {ExpectedAttention(s,
                                        {coded.inputs[0], Shared(coded.inputs[1], 2, 3), Shared(coded.inputs[2], 2, 3)},
                                        static_cast<double>(std::get<float>(coded.node.attributes["scale"])), &off)};
    coded.absolute += off;
    coded.node.attributes["kv_heads"] = int64_t{2};
    coded.inputs[0] = HeadsFirst(coded.inputs[0], 6);
    coded.inputs[2] = HeadsFirst(coded.inputs[2], 2);
    coded.name += " shared, q and v heads first, on codes";
    cases.push_back(coded);
    c.inputs[0] = HeadsFirst(c.inputs[0], 6);
    c.inputs[2] = HeadsFirst(v, 2);
    c.name += ", q and v heads first";
    cases.push_back(c);
    c.inputs[1] = HeadsFirst(k, 2);
    c.name += ", k too";
    cases.push_back(c);
    // Causality against a mask that says the same.
    for (const int64_t offset : {int64_t{0}, int64_t{8}, int64_t{-2}}) {
      const KernelCase masked = AttentionCase(s, dtype, CausalMask(s, offset), DType::kFloat32);
      cases.push_back(Causal(masked, offset, offset < 0));
    }
  }
  CheckFamily("attention", cases);
}

TEST(AttentionKernels, MatchTheReference) {
  const float lowest = std::numeric_limits<float>::lowest();
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<KernelCase> cases;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const AttentionShape& s : kShapes) {
      cases.push_back(AttentionCase(s, dtype, {}, dtype));
      for (const Dims& dims :
           {Dims{s.batch, 1, 1, s.keys}, Dims{s.batch, 1, s.queries, s.keys}, Dims{1, 1, s.queries, s.keys},
            Dims{s.batch, s.heads, s.queries, s.keys}, Dims{s.keys}, Dims{s.queries, 1}}) {
        cases.push_back(AttentionCase(s, dtype, RandomTensor(DType::kFloat32, dims, 7), dtype));
      }
      cases.push_back(AttentionCase(s, dtype, RandomTensor(DType::kBFloat16, {s.batch, 1, 1, s.keys}, 8), dtype));
      cases.push_back(AttentionCase(s, dtype, {}, DType::kFloat32));
      for (const float masked : {lowest, -infinity}) {
        Tensor mask(DType::kFloat32, {s.batch, 1, 1, s.keys});  // all but the first key
        for (int64_t i = 0; i < mask.NumElements(); ++i) mask.Data<float>()[i] = i % s.keys == 0 ? 0 : masked;
        cases.push_back(AttentionCase(s, dtype, mask, dtype));
      }
    }
    // Every key masked with a finite value: the scores vanish beside it and the weights are equal.
    const AttentionShape s{1, 2, 3, 19, 8, 8};
    Tensor mask(DType::kFloat32, {1, 1, 1, s.keys});
    for (int64_t i = 0; i < s.keys; ++i) mask.Data<float>()[i] = lowest;
    KernelCase c = AttentionCase(s, dtype, mask, DType::kFloat32);
    const auto v = Doubles(c.inputs[2]);
    for (size_t i = 0; i < c.expected[0].size(); ++i) {
      c.expected[0][i] = 0;
      for (int64_t t = 0; t < s.keys; ++t) c.expected[0][i] += v[static_cast<size_t>(t) * 16 + i % 16] / 19;
    }
    cases.push_back(c);
    cases.push_back(OnCodes(AttentionCase(s, dtype, {}, dtype), s));
  }
  CheckFamily("attention", cases);
}

// Of a row most scores are so far below the highest that their share is no normal number.
TEST(AttentionKernels, ScoresFarApart) {
  const AttentionShape s = {1, 2, 5, 75, 16, 20};
  constexpr float kScale = 40;
  KernelCase c = AttentionCase(s, DType::kFloat32, Tensor(), DType::kFloat32);
  c.node.attributes["scale"] = kScale;
  c.expected = {ExpectedAttention(s, c.inputs, kScale)};
  // Scores are sums of `depth` products of 4 at most, and a weight errs by what its score does.
  c.absolute = 2 * kScale * static_cast<double>(s.depth) * 4 * std::numeric_limits<float>::epsilon();
  CheckFamily("attention", {c}, /*need_all=*/false);
  // A NaN reaches all that its query gives.
  c.inputs[0].Data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  c.expected = {ExpectedAttention(s, c.inputs, kScale)};
  CheckFamily("attention", {c}, /*need_all=*/false);
}

TEST(AttentionKernels, RefuseWhatTheyCannotCompute) {
  KernelCase c = AttentionCase({1, 2, 3, 4, 8, 8}, DType::kFloat32, RandomTensor(DType::kFloat32, {1, 1, 1, 4}, 1),
                               DType::kFloat32);
  c.inputs[3] = RandomTensor(DType::kFloat32, {1, 1, 1, 3}, 1);
  ExpectRefused("attention", c, "doesn't broadcast");
  c.inputs[3] = {};
  c.node.attributes["num_heads"] = int64_t{3};
  ExpectRefused("attention", c, "3 heads don't divide q");
  c.node.attributes["num_heads"] = int64_t{2};
  c.node.domain = "";
  ExpectRefused("attention", c, "domain");
}

}  // namespace
}  // namespace tamis::kernel_test
