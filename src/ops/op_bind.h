// How the shape rule and the reference evaluation of an operator share one reading of its operands: the evaluation
// puts its node alone into a graph, with the operands as constants, and runs the shape rule there. Whatever the rule
// refuses (axes, dtypes, dimensions, sizes) the evaluation refuses with the same words, and results have the inferred
// dimensions by construction.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/ops/op_def.h"

namespace tamis {

// More elements than any result may have.
inline constexpr int64_t kMaxElements = int64_t{1} << 33;

// A node in evaluation. `infer` answers what the shape rule asks, from real tensors.
struct BoundNode {
  Graph graph;
  std::unique_ptr<InferContext> infer;
};

// Runs the shape rule; allocates nothing. For operators whose result shares memory or depends on values.
Result<std::unique_ptr<BoundNode>> BindInputs(const EvalContext& context);
// Runs the shape rule and allocates the outputs, zeroed. Refuses operands without whole-byte elements (int4, strings).
Result<std::unique_ptr<BoundNode>> Bind(EvalContext& context);
// Zeroed memory; an error if there are too many elements, elements without a fixed size, or no memory.
Result<Tensor> Allocate(const EvalContext& context, DType dtype, Dims dims);

// Which element types an operator takes; a mask.
enum DTypes : unsigned {
  kFloats = 1,    // f16, bf16, f32, f64
  kIntegers = 2,  // 8 to 64 bits
  kBools = 4,
  kNumbers = kFloats | kIntegers,
  kFixedSize = kNumbers | kBools | 8,  // also 8-bit floats, int4
  kAnyDType = kFixedSize | 16,
};

// The number of inputs is within [required, allowed], the first `required` are not omitted, and they are tensors.
Status CheckInputs(const InferContext& context, size_t required, size_t allowed = SIZE_MAX);
// The dtype of input i, where known, is of the kind.
Status CheckDType(const InferContext& context, size_t i, unsigned allowed);
// Inputs i and j, where known, have one dtype.
Status CheckSameDType(const InferContext& context, size_t i, size_t j);

// Sets an output after checking it: no negative dimension, no more than kMaxElements.
Status SetShape(InferContext& context, size_t i, DType dtype, Shape shape);
// The output's contents, unless an element has grown too complex to be worth it.
void SetTracked(InferContext& context, size_t i, std::vector<Dim> contents);

// In [0, rank), or an error that names the node.
Result<int64_t> ResolvedAxis(const InferContext& context, int64_t axis, int64_t rank);
// Resolved and pairwise different.
Result<std::vector<int64_t>> ResolvedAxes(const InferContext& context, const std::vector<int64_t>& axes, int64_t rank);

// A list that is an attribute in old opsets and an input in new ones.
struct IntList {
  bool given = false;              // neither attribute nor input: false
  std::vector<Dim> values;         // if known
  bool known = false;              // false: an input that is computed at run time
  std::vector<int64_t> constants;  // if constant
  bool constant = false;
};
// Reads input `input` if present, else the attribute.
Result<IntList> ReadInts(const InferContext& context, size_t input, const std::string& attribute);
// A scalar or one-element integer input; nullopt if not constant.
std::optional<int64_t> ConstantInt(const InferContext& context, size_t input);
// The contents of a 1-D or scalar integer input.
std::optional<std::vector<Dim>> Contents(const InferContext& context, size_t input);

}  // namespace tamis
