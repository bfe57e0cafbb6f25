#include "src/runtime/memory_layout.h"

#include <algorithm>

#include "src/kernels/problem.h"
#include "src/ops/op_def.h"
#include "src/runtime/memory_plan.h"

namespace tamis {
namespace {

size_t Index(ValueId id) {
  return static_cast<size_t>(id);
}

size_t BytesOf(const Value& value) {
  const auto dims = ConstantDims(value.type.shape);
  return ByteSize(value.type.dtype, static_cast<size_t>(NumElements(*dims)));
}

class Layouter {
 public:
  Layouter(const Graph& graph, std::span<const LayoutStep> steps) : graph_(graph), steps_(steps) {}

  MemoryLayout Make() {
    FindRoots();
    PlaceFixed();
    FindLastReads();
    for (size_t s = 0; s < steps_.size(); ++s) {
      for (size_t i = 0; i < NodeOf(s).outputs.size(); ++i) PlaceOutput(s, i);
    }
    AddWorkspaces();
    return Finish();
  }

 private:
  const Node& NodeOf(size_t step) const { return graph_.node(steps_[step].node); }
  Place& PlaceOf(ValueId id) { return layout_.values[Index(root_[Index(id)])]; }

  void FindRoots() {
    root_.resize(graph_.NumValues());
    for (size_t i = 0; i < root_.size(); ++i) root_[i] = static_cast<ValueId>(i);
    for (NodeId id : graph_.NodeIds()) {
      const Node& node = graph_.node(id);
      if (IsView(node)) root_[Index(node.outputs[0])] = root_[Index(node.inputs[0])];
    }
  }

  void PlaceFixed() {
    layout_.values.resize(graph_.NumValues());
    for (size_t i = 0; i < layout_.values.size(); ++i) {
      const Value& value = graph_.value(static_cast<ValueId>(i));
      if (value.constant) layout_.values[i] = {Place::Kind::kConstant, value.constant->raw(), 0, 0};
    }
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      layout_.values[Index(graph_.inputs[i])] = {Place::Kind::kInput, nullptr, i, 0};
    }
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      Place& place = PlaceOf(graph_.outputs[i]);
      if (place.kind == Place::Kind::kNone) place = {Place::Kind::kOutput, nullptr, i, 0};
    }
  }

  void FindLastReads() {
    last_read_.assign(graph_.NumValues(), -1);
    for (size_t s = 0; s < steps_.size(); ++s) {
      for (ValueId id : NodeOf(s).inputs) {
        if (id != kNoValue) last_read_[Index(root_[Index(id)])] = static_cast<int>(s);
      }
    }
    use_.assign(graph_.NumValues(), -1);
  }

  void PlaceOutput(size_t s, size_t output) {
    const ValueId id = NodeOf(s).outputs[output];
    if (id == kNoValue || PlaceOf(id).kind != Place::Kind::kNone) return;
    const size_t bytes = BytesOf(graph_.value(id));
    layout_.figures.naive += bytes;
    const int step = static_cast<int>(s);
    const int last = std::max(step, last_read_[Index(id)]);
    const int taken_over = output == 0 ? InputToOverwrite(s) : -1;
    if (taken_over >= 0) {
      uses_[static_cast<size_t>(taken_over)].last = last;
      use_[Index(id)] = taken_over;
      return;
    }
    use_[Index(id)] = static_cast<int>(uses_.size());
    uses_.push_back({bytes, step, last});
  }

  // Of what lies between the layers of a block, which would have buffers too if each ran alone.
  static size_t BytesInside(const Node& node) {
    size_t bytes = 0;
    for (const Region& region : node.regions) {
      const Graph& body = *region.body;
      for (const NodeId id : body.NodeIds()) {
        for (const ValueId value : body.node(id).outputs) {
          const bool inner = std::find(body.outputs.begin(), body.outputs.end(), value) == body.outputs.end();
          if (inner && value != kNoValue) bytes += BytesOf(body.value(value));
        }
      }
    }
    return bytes;
  }

  // The buffer that output 0 of a step may take over; -1: none.
  int InputToOverwrite(size_t s) const {
    const Node& node = NodeOf(s);
    const Type& wanted = graph_.value(node.outputs[0]).type;
    for (size_t i = 0; i < node.inputs.size() && i < 32; ++i) {
      if ((steps_[s].in_place >> i & 1U) == 0 || node.inputs[i] == kNoValue) continue;
      const ValueId root = root_[Index(node.inputs[i])];
      const int use = use_[Index(root)];
      const Type& type = graph_.value(node.inputs[i]).type;
      const bool read_later = last_read_[Index(root)] != static_cast<int>(s);
      if (use < 0 || read_later || type.dtype != wanted.dtype ||
          ConstantDims(type.shape) != ConstantDims(wanted.shape) || ReadElsewhere(node, i, root, steps_[s].in_place)) {
        continue;
      }
      return use;
    }
    return -1;
  }

  // Whether an operand other than `input` looks at the same buffer in another shape, or one that the kernel reads
  // elsewhere than at the element it writes (a product whose residual is its own operand).
  bool ReadElsewhere(const Node& node, size_t input, ValueId root, uint32_t in_place) const {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (i == input || node.inputs[i] == kNoValue || root_[Index(node.inputs[i])] != root) continue;
      if ((in_place >> i & 1U) == 0) return true;
      if (ConstantDims(graph_.value(node.inputs[i]).type.shape) !=
          ConstantDims(graph_.value(node.inputs[input]).type.shape)) {
        return true;
      }
    }
    return false;
  }

  void AddWorkspaces() {
    first_workspace_ = uses_.size();
    for (size_t s = 0; s < steps_.size(); ++s) {
      layout_.figures.naive += steps_[s].workspace_bytes + BytesInside(NodeOf(s));
      uses_.push_back({steps_[s].workspace_bytes, static_cast<int>(s), static_cast<int>(s)});
    }
  }

  MemoryLayout Finish() {
    const MemoryPlan plan = PlanMemory(uses_);
    layout_.arena_bytes = plan.arena_bytes;
    layout_.figures.planned = plan.arena_bytes;
    layout_.figures.lower_bound = MostAlive(uses_);
    for (size_t i = 0; i < layout_.values.size(); ++i) {
      if (use_[i] >= 0) {
        layout_.values[i] = {Place::Kind::kArena, nullptr, 0, plan.offsets[static_cast<size_t>(use_[i])]};
      }
    }
    for (size_t i = 0; i < layout_.values.size(); ++i) {
      if (root_[i] != static_cast<ValueId>(i)) layout_.values[i] = layout_.values[Index(root_[i])];
    }
    layout_.workspace_offsets.assign(plan.offsets.begin() + static_cast<std::ptrdiff_t>(first_workspace_),
                                     plan.offsets.end());
    return std::move(layout_);
  }

  const Graph& graph_;
  std::span<const LayoutStep> steps_;
  std::vector<ValueId> root_;   // of every value: the one whose bytes it looks at
  std::vector<int> last_read_;  // by root: the last step that reads it
  std::vector<int> use_;        // by value: index into uses_
  std::vector<BufferUse> uses_;
  size_t first_workspace_ = 0;
  MemoryLayout layout_;
};

}  // namespace

MemoryLayout LayOut(const Graph& graph, std::span<const LayoutStep> steps) {
  return Layouter(graph, steps).Make();
}

}  // namespace tamis
