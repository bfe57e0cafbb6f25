// Operators that work element by element, with NumPy's broadcasting.
//
// References compute floats in double, integers in 64 bits of their own signedness (results wrap to the element type),
// bool as 0 and 1 in uint64. An operator gives one function of such wide values; reading, broadcasting and writing
// happen here, a block of elements at a time.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>
#include <vector>

#include "src/ops/op_bind.h"

namespace tamis {

// As JoinShapes; an error of the node where the shapes do not broadcast.
Result<Shape> BroadcastShapes(const InferContext& context, const Shape& a, const Shape& b);
// Of all inputs; nullopt if the rank of one is unknown.
Result<std::optional<Shape>> BroadcastInputs(const InferContext& context);

// One input, one output of the same dtype and shape.
Status InferUnary(InferContext& context, unsigned allowed);
template <unsigned kAllowed>
Status InferUnaryOf(InferContext& context) {
  return InferUnary(context, kAllowed);
}

// A function of symbolic elements; nullopt where it can't be told.
using DimFunction = std::optional<Dim> (*)(const InferContext&, const Dim&, const Dim&);

// 1 if `yes` is shown, 0 if `no` is.
inline std::optional<Dim> Decided(bool yes, bool no) {
  if (yes || no) return Dim(yes ? 1 : 0);
  return std::nullopt;
}

struct BroadcastRule {
  unsigned allowed = kNumbers;
  size_t inputs = 2;                 // 0: one or more
  DType result = DType::kUndefined;  // kUndefined: the inputs' own
  bool same_dtype = true;
  DimFunction contents = nullptr;  // folded over the inputs from the left
};
Status InferBroadcast(InferContext& context, const BroadcastRule& rule);

// The type in which elements of a dtype are computed.
enum class Wide { kDouble, kInt64, kUint64 };
Wide WideOf(DType dtype);

// Reads a tensor as if broadcast to `dims`, converted to double, int64_t or uint64_t.
class WideReader {
 public:
  // `tensor` must broadcast to `dims` and both must outlive the reader.
  WideReader(const Tensor& tensor, const Dims& dims);
  template <class W>
  void Read(int64_t begin, std::span<W> out) const;

 private:
  const Tensor& tensor_;
  const Dims& dims_;
  std::vector<int64_t> strides_;
  bool contiguous_ = false;
};

// Converts to the tensor's dtype: floats rounded, integers wrapped, bool != 0.
template <class W>
void WriteWide(Tensor& tensor, int64_t begin, std::span<const W> values);

// outputs[0][i] = f(inputs[0][i], ..., inputs[N - 1][i]), computed in W.
template <class W, size_t N, class F>
void MapElements(EvalContext& context, F&& f) {
  constexpr int64_t kBlock = 512;
  Tensor& output = context.outputs[0];
  std::vector<WideReader> readers;
  for (size_t i = 0; i < N; ++i) readers.emplace_back(*context.input(i), output.dims());
  std::array<std::array<W, kBlock>, N> in;
  std::array<W, kBlock> out;
  const int64_t count = output.NumElements();
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const auto size = static_cast<size_t>(std::min(kBlock, count - begin));
    for (size_t i = 0; i < N; ++i) readers[i].Read<W>(begin, std::span<W>(in[i]).first(size));
    for (size_t i = 0; i < size; ++i) {
      if constexpr (N == 1) out[i] = static_cast<W>(f(in[0][i]));
      if constexpr (N == 2) out[i] = static_cast<W>(f(in[0][i], in[1][i]));
    }
    WriteWide<W>(output, begin, std::span<const W>(out).first(size));
  }
}

// Evaluates a unary or binary operator in the wide type of its first input.
template <size_t N, class F>
Status EvalElements(EvalContext& context, F&& f) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble:
      MapElements<double, N>(context, f);
      break;
    case Wide::kInt64:
      MapElements<int64_t, N>(context, f);
      break;
    case Wide::kUint64:
      MapElements<uint64_t, N>(context, f);
      break;
  }
  return {};
}

// The same with a bool result.
template <class F>
Status EvalComparison(EvalContext& context, F&& f) {
  return EvalElements<2>(context, [&](auto a, auto b) { return static_cast<decltype(a)>(f(a, b)); });
}

// The same for operators that floats alone have.
template <class F>
Status EvalFloat(EvalContext& context, F&& f) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  MapElements<double, 1>(context, f);
  return {};
}

// Left fold of a binary function over any number of inputs; float results are multiplied by `scale`.
template <class F>
Status EvalVariadic(EvalContext& context, F&& f, double scale = 1) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const auto fold = [&]<class W>(W) {
    Tensor& output = context.outputs[0];
    std::vector<WideReader> readers;
    for (const Tensor* input : context.inputs) readers.emplace_back(*input, output.dims());
    constexpr int64_t kBlock = 512;
    std::array<W, kBlock> total, next;
    const int64_t count = output.NumElements();
    for (int64_t begin = 0; begin < count; begin += kBlock) {
      const auto size = static_cast<size_t>(std::min(kBlock, count - begin));
      readers[0].Read<W>(begin, std::span<W>(total).first(size));
      for (size_t r = 1; r < readers.size(); ++r) {
        readers[r].Read<W>(begin, std::span<W>(next).first(size));
        for (size_t i = 0; i < size; ++i) total[i] = static_cast<W>(f(total[i], next[i]));
      }
      if constexpr (std::is_same_v<W, double>) {
        for (size_t i = 0; i < size; ++i) total[i] *= scale;
      }
      WriteWide<W>(output, begin, std::span<const W>(total).first(size));
    }
  };
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble:
      fold(double{});
      break;
    case Wide::kInt64:
      fold(int64_t{});
      break;
    case Wide::kUint64:
      fold(uint64_t{});
      break;
  }
  return {};
}

// a op b with wrap-around for signed integers, where the language has undefined behaviour.
template <class W, class F>
W Wrapping(W a, W b, F f) {
  if constexpr (std::is_same_v<W, int64_t>) {
    return static_cast<int64_t>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return f(a, b);
  }
}

// Seeded operands for test cases: f32 in [low, high), int64 in [low, high].
Tensor SampleFloats(uint64_t seed, Dims dims, double low = -2, double high = 2);
Tensor SampleInts(uint64_t seed, Dims dims, int64_t low, int64_t high);

}  // namespace tamis
