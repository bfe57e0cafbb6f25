#include "src/runtime/node_kernels.h"

#include <algorithm>
#include <bit>

#include "src/base/hash.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

// Operands whose elements may decide a shape. Longer ones are data.
bool MayDecideShape(const Tensor& tensor) {
  constexpr int64_t kMaxIntegers = 64;
  constexpr int64_t kMaxFloats = 16;
  if (tensor.dtype() == DType::kFloat32) return tensor.NumElements() <= kMaxFloats;
  return (IsInteger(tensor.dtype()) || tensor.dtype() == DType::kBool) && BitSize(tensor.dtype()) >= 8 &&
         tensor.NumElements() <= kMaxIntegers;
}

// Elements that are only moved are so by the evaluation nearly as fast as by a kernel.
size_t SmallBytes(const Node& node) {
  const OpDef* op = FindOp(node.op, node.domain);
  return op != nullptr && !op->widen_half ? size_t{65536} : size_t{4096};
}

}  // namespace

NodeKernels::NodeKernels(const Graph& graph, NodeId node, int threads, std::string wish, PackCache* cache)
    : graph_(graph),
      node_(node),
      threads_(threads),
      wish_(std::move(wish)),
      cache_(cache),
      small_bytes_(SmallBytes(graph.node(node))) {
  for (ValueId id : graph.node(node).inputs) {
    uint64_t hash = 0;
    if (id != kNoValue && graph.value(id).constant) {
      const Value& value = graph.value(id);
      hash = value.constant_hash != 0 || BitSize(value.constant->dtype()) == 0 ? value.constant_hash
                                                                               : HashTensor(*value.constant);
    }
    hashes_.push_back(hash);
  }
}

NodeKernels::~NodeKernels() = default;

bool NodeKernels::IsConstant(size_t input) const {
  const ValueId id = graph_.node(node_).input(input);
  return id != kNoValue && graph_.value(id).IsConstant();
}

std::vector<int64_t> NodeKernels::KeyOf(std::span<const Tensor* const> operands, bool elements) const {
  std::vector<int64_t> key;
  key.reserve(operands.size() * 6);
  for (size_t i = 0; i < operands.size(); ++i) {
    const Tensor* operand = operands[i];
    if (operand == nullptr || IsConstant(i)) continue;
    key.push_back(static_cast<int64_t>(operand->dtype()) * 256 + operand->rank());
    key.insert(key.end(), operand->dims().begin(), operand->dims().end());
    if (!elements || !MayDecideShape(*operand)) continue;
    if (operand->dtype() == DType::kFloat32) {
      for (float value : operand->Span<float>()) key.push_back(std::bit_cast<int32_t>(value));
    } else {
      const auto values = operand->ToInt64s();
      key.insert(key.end(), values.begin(), values.end());
    }
  }
  return key;
}

Result<std::unique_ptr<ShapedNode>> NodeKernels::Shape(std::span<const Tensor* const> operands, bool elements) const {
  const Node& node = graph_.node(node_);
  auto shaped = std::make_unique<ShapedNode>();
  Graph& scratch = shaped->scratch;
  scratch.opsets = graph_.opsets;
  Node copy;
  copy.op = node.op;
  copy.domain = node.domain;
  copy.name = node.name;
  copy.attributes = node.attributes;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Tensor* operand = operands[i];
    if (operand == nullptr) {
      copy.inputs.push_back(kNoValue);
      continue;
    }
    const std::string name = "in" + std::to_string(i);
    if (IsConstant(i)) {
      const ValueId id = scratch.AddConstant(name, *operand);
      scratch.value(id).pattern = graph_.value(node.inputs[i]).pattern;
      scratch.value(id).constant_hash = hashes_[i];
      copy.inputs.push_back(id);
    } else if (elements && MayDecideShape(*operand)) {
      // A copy: the operand's memory is used again for other elements.
      copy.inputs.push_back(scratch.AddConstant(name, operand->Clone()));
    } else {
      copy.inputs.push_back(scratch.AddValue(name, Type::Tensor(operand->dtype(), ToShape(operand->dims()))));
    }
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const bool given = node.outputs[i] != kNoValue;
    copy.outputs.push_back(given ? scratch.AddValue("out" + std::to_string(i)) : kNoValue);
  }
  const NodeId id = scratch.AddNode(std::move(copy));
  TAMIS_RETURN_IF_ERROR(InferNode(scratch, id));
  for (ValueId output : scratch.node(id).outputs) {
    ShapedNode::Output& found = shaped->outputs.emplace_back();
    if (output == kNoValue) continue;
    const Type& type = scratch.value(output).type;
    const auto dims = type.IsTensor() && type.has_rank ? ConstantDims(type.shape) : std::nullopt;
    if (!dims || NumElements(*dims) < 0 || BitSize(type.dtype) == 0) {
      return std::unique_ptr<ShapedNode>();
    }
    found = {type.dtype, *dims};
  }
  return shaped;
}

std::shared_ptr<const ShapedNode> NodeKernels::Prepare(std::unique_ptr<ShapedNode> shaped) const {
  const Node& node = shaped->scratch.node(0);
  if (IsView(node)) return shaped;
  auto prepared = PreparedNode::Make(shaped->scratch, node, threads_, wish_, *cache_);
  if (!prepared.ok() || !(*prepared)->HasKernel()) return nullptr;
  shaped->prepared = std::move(*prepared);
  return shaped;
}

bool NodeKernels::DependsOnData() {
  const std::lock_guard lock(mutex_);
  return keyed_by_ == KeyedBy::kNothing;
}

std::shared_ptr<const ShapedNode> NodeKernels::Find(std::span<const Tensor* const> operands) {
  constexpr int kPatience = 8;  // misses in a row before shapes count as ever new
  constexpr int kProbe = 64;    // of which every so many is prepared all the same: shapes may have settled
  const std::lock_guard lock(mutex_);
  if (keyed_by_ == KeyedBy::kNothing) return nullptr;
  std::unique_ptr<ShapedNode> shaped;
  if (keyed_by_ == KeyedBy::kUnknown) {
    auto made = Shape(operands, false);
    if (!made.ok()) return nullptr;  // the evaluation meets the error again, and tells it
    shaped = std::move(*made);
    keyed_by_ = shaped ? KeyedBy::kShapes : KeyedBy::kElements;
  }
  const bool elements = keyed_by_ == KeyedBy::kElements;
  std::vector<int64_t> key = KeyOf(operands, elements);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (found != entries_.end()) {
    misses_in_a_row_ = 0;
    std::rotate(entries_.begin(), found, found + 1);
    return entries_.front().shaped;
  }
  if (++misses_in_a_row_ > kPatience && misses_in_a_row_ % kProbe != 0) {
    size_t bytes = 0;
    for (const Tensor* operand : operands) bytes += operand ? operand->NumBytes() : 0;
    if (bytes <= small_bytes_) return nullptr;
  }
  if (!shaped) {
    auto made = Shape(operands, elements);
    if (!made.ok()) return nullptr;
    shaped = std::move(*made);
  }
  if (!shaped && elements) {
    keyed_by_ = KeyedBy::kNothing;
    return nullptr;
  }
  Entry entry{std::move(key), shaped ? Prepare(std::move(shaped)) : nullptr};
  if (entries_.size() == kKept) entries_.pop_back();
  entries_.insert(entries_.begin(), std::move(entry));
  return entries_.front().shaped;
}

}  // namespace tamis
