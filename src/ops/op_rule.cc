#include "src/ops/op_rule.h"

#include <algorithm>
#include <limits>
#include <new>

namespace tamis {
namespace {

bool IsHalf(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

// Trailing omitted outputs don't count.
Status CheckOutputCount(const Node& node, size_t possible) {
  size_t used = node.outputs.size();
  while (used > 0 && node.outputs[used - 1] == kNoValue) --used;
  if (used >= 1 && used <= possible) return {};
  return UserError("has {} outputs but can have 1 to {}", used, possible);
}

Result<std::vector<Type>> RunRule(const Operands& operands, TypeRule rule) {
  Result<std::vector<Type>> types = rule(operands);
  if (!types.ok()) return types;
  TAMIS_RETURN_IF_ERROR(CheckOutputCount(operands.node(), types->size()));
  for (const Type& type : *types) {
    if (!type.has_rank) continue;
    std::vector<int64_t> known;
    for (const Dim& dim : type.shape) known.push_back(dim.Constant().value_or(1));
    const int64_t count = NumElements(known);
    // A double is the widest element.
    if (count < 0 || count > std::numeric_limits<int64_t>::max() / 16) {
      return UserError("the result {} has a negative dimension or is too large to address", ToString(type.shape));
    }
  }
  return types;
}

}  // namespace

Operands::Operands(const InferContext& context) : node_(context.node()), opset_(context.opset()) {
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    const Type* type = context.InputType(i);
    inputs_.push_back(type == nullptr ? Input{} : Input{true, *type});
  }
}

Operands::Operands(const EvalContext& context) : node_(context.node), opset_(context.opset) {
  for (const Tensor* tensor : context.inputs) {
    const bool present = tensor != nullptr && tensor->Defined();
    inputs_.push_back(present ? Input{true, Type::Tensor(tensor->dtype(), ToShape(tensor->dims()))} : Input{});
  }
}

void Operands::CheckCount(size_t required, size_t allowed, NodeProblems* problems) const {
  if (inputs_.size() > allowed) problems->Add("has {} inputs but takes at most {}", inputs_.size(), allowed);
  for (size_t i = 0; i < required; ++i) {
    if (!Has(i)) {
      problems->Add("input {} is missing", i);
    } else if (!inputs_[i].type.IsTensor()) {
      problems->Add("input {} must be a tensor", i);
    }
  }
}

void Operands::CheckDType(size_t i, std::initializer_list<DType> allowed, NodeProblems* problems) const {
  const DType actual = dtype(i);
  if (actual == DType::kUndefined || std::find(allowed.begin(), allowed.end(), actual) != allowed.end()) return;
  std::string names;
  for (DType dtype : allowed) names += (names.empty() ? "" : ", ") + std::string(Name(dtype));
  problems->Add("input {} has type {} but must be one of {}", i, Name(actual), names);
}

void Operands::CheckFloat(size_t i, NodeProblems* problems) const {
  CheckDType(i, {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16}, problems);
}

void Operands::CheckSameDType(std::initializer_list<size_t> indices, NodeProblems* problems) const {
  std::optional<size_t> first;
  for (size_t i : indices) {
    if (dtype(i) == DType::kUndefined) continue;
    if (!first) {
      first = i;
    } else if (dtype(i) != dtype(*first)) {
      problems->Add("inputs {} and {} must have the same type but are {} and {}", *first, i, Name(dtype(*first)),
                    Name(dtype(i)));
    }
  }
}

void Operands::CheckRank(size_t i, size_t rank, NodeProblems* problems) const {
  const Shape* actual = shape(i);
  if (actual != nullptr && actual->size() != rank) {
    problems->Add("input {} has shape {} but must have {} dimensions", i, ToString(*actual), rank);
  }
}

void Operands::CheckRankAtLeast(size_t i, size_t rank, NodeProblems* problems) const {
  const Shape* actual = shape(i);
  if (actual != nullptr && actual->size() < rank) {
    problems->Add("input {} has shape {} but must have at least {} dimensions", i, ToString(*actual), rank);
  }
}

void Operands::CheckShape(size_t i, const Shape& wanted, NodeProblems* problems) const {
  const Shape* actual = shape(i);
  if (actual == nullptr) return;
  if (actual->size() != wanted.size() || !std::equal(actual->begin(), actual->end(), wanted.begin(), MayEqual)) {
    problems->Add("input {} has shape {} but must have {}", i, ToString(*actual), ToString(wanted));
  }
}

Status InferBy(InferContext& context, TypeRule rule) {
  const auto types = RunRule(Operands(context), rule);
  if (!types.ok()) return context.Error(types.status().message());
  for (size_t i = 0; i < types->size(); ++i) context.SetOutput(i, (*types)[i]);
  return {};
}

Status AllocateBy(EvalContext& context, TypeRule rule) {
  const auto types = RunRule(Operands(context), rule);
  if (!types.ok()) return context.Error(types.status().message());
  for (size_t i = 0; i < std::min(context.outputs.size(), types->size()); ++i) {
    const Type& type = (*types)[i];
    const auto dims = ConstantDims(type.shape);
    TAMIS_ASSERT(type.has_rank && dims.has_value());
    try {
      context.outputs[i] = Tensor(IsHalf(type.dtype) ? DType::kFloat32 : type.dtype, *dims);
    } catch (const std::bad_alloc&) {
      return RuntimeError("{} '{}': no memory for a result of {}", context.node.op, context.node.name, ToString(*dims));
    }
  }
  return {};
}

Type Unranked(DType dtype) {
  Type type;
  type.dtype = dtype;
  return type;
}

bool MayEqual(const Dim& a, const Dim& b) {
  const auto ca = a.Constant();
  const auto cb = b.Constant();
  return !ca || !cb || *ca == *cb;
}

std::optional<Dim> JoinDims(const Dim& a, const Dim& b) {
  const auto ca = a.Constant();
  const auto cb = b.Constant();
  if (a == b || cb == 1) return a;
  if (ca == 1) return b;
  if (ca && cb) return std::nullopt;
  if (ca) return a;
  if (cb) return b;
  return Dim::Max(a, b);
}

std::optional<Shape> JoinShapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape joined = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const auto dim = JoinDims(longer[offset + i], shorter[i]);
    if (!dim) return std::nullopt;
    joined[offset + i] = *dim;
  }
  return joined;
}

bool BroadcastsTo(const Shape& from, const Shape& to) {
  const auto joined = JoinShapes(from, to);
  return joined && joined->size() == to.size() && std::equal(joined->begin(), joined->end(), to.begin(), MayEqual);
}

std::optional<size_t> ResolveAxis(int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) return std::nullopt;
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

}  // namespace tamis
