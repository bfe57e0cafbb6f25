// One type rule per operator, used twice: by shape inference on symbolic dimensions and by the reference evaluation on
// the dimensions of real tensors. What the rule refuses is therefore refused in both places, with the same words.
#pragma once

#include <fmt/core.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "src/ops/op_def.h"

namespace tamis {

// Collects everything that is wrong with a node, so that one run shows all of it.
class NodeProblems {
 public:
  template <class... A>
  void Add(fmt::format_string<A...> format, A&&... args) {
    text_ += (text_.empty() ? "" : "; ") + fmt::format(format, std::forward<A>(args)...);
  }
  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }
  // OK if nothing was added.
  Status status() const { return empty() ? Status() : Status(ErrorKind::kUser, text_); }

 private:
  std::string text_;
};

// A node's inputs as types. An undefined tensor counts as omitted. Refers to the context, which must outlive it.
class Operands {
 public:
  explicit Operands(const InferContext& context);
  explicit Operands(const EvalContext& context);

  const Node& node() const { return node_; }
  int64_t opset() const { return opset_; }
  bool Has(size_t i) const { return i < inputs_.size() && inputs_[i].present; }
  // kUndefined if omitted or not known yet.
  DType dtype(size_t i) const { return Has(i) ? inputs_[i].type.dtype : DType::kUndefined; }
  // nullptr if omitted or of unknown rank.
  const Shape* shape(size_t i) const { return Has(i) && inputs_[i].type.has_rank ? &inputs_[i].type.shape : nullptr; }

  // At least the first `required` inputs, at most `allowed` in all.
  void CheckCount(size_t required, size_t allowed, NodeProblems* problems) const;
  // The dtype, where known, is one of `allowed`.
  void CheckDType(size_t i, std::initializer_list<DType> allowed, NodeProblems* problems) const;
  void CheckFloat(size_t i, NodeProblems* problems) const;  // f16, bf16, f32 or f64
  // Those of `indices` that are present agree in dtype.
  void CheckSameDType(std::initializer_list<size_t> indices, NodeProblems* problems) const;
  void CheckRank(size_t i, size_t rank, NodeProblems* problems) const;
  void CheckRankAtLeast(size_t i, size_t rank, NodeProblems* problems) const;
  // The shape of input i, where known, may be `wanted`: constants agree, symbols are taken on trust.
  void CheckShape(size_t i, const Shape& wanted, NodeProblems* problems) const;

 private:
  struct Input {
    bool present = false;
    Type type;
  };
  const Node& node_;
  int64_t opset_;
  std::vector<Input> inputs_;
};

// The types of the outputs, as many as the operator can have; a node may use fewer.
using TypeRule = Result<std::vector<Type>> (*)(const Operands&);

// Runs the rule and refuses results whose constant dimensions are negative or overflow.
Status InferBy(InferContext& context, TypeRule rule);
// Runs the rule and allocates every output, zeroed. Half-precision results are allocated as f32: the evaluation works
// on widened operands and EvaluateNode narrows. kRuntime if there is no memory.
Status AllocateBy(EvalContext& context, TypeRule rule);

// A tensor type of which only the dtype is known.
Type Unranked(DType dtype);
// False only if both are constants and differ.
bool MayEqual(const Dim& a, const Dim& b);
// The dimension that `a` and `b` broadcast to by NumPy's rule; nullopt if they can't. Two different symbols give their
// maximum, which is right for any binding that is legal at run time, except where one side is 0 and the other is 1.
std::optional<Dim> JoinDims(const Dim& a, const Dim& b);
// The same for right-aligned shapes.
std::optional<Shape> JoinShapes(const Shape& a, const Shape& b);
// Whether `from` may broadcast to exactly `to`.
bool BroadcastsTo(const Shape& from, const Shape& to);
// Resolves a negative axis; nullopt if it is outside [-rank, rank).
std::optional<size_t> ResolveAxis(int64_t axis, size_t rank);

}  // namespace tamis
