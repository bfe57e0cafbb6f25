// Where every value of a program lies during a run: views share the place of what they look at, a kernel that may
// overwrite an input does so when nobody reads it later, graph outputs are written straight into the caller's tensors,
// and everything else shares one arena.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"

namespace tamis {

// Where a value's bytes are during a run.
struct Place {
  enum class Kind : uint8_t { kNone, kConstant, kInput, kOutput, kArena };
  Kind kind = Kind::kNone;
  const void* constant = nullptr;
  size_t index = 0;  // of the input or output
  size_t offset = 0;
};

// A node that runs (views do not), as far as memory is concerned.
struct LayoutStep {
  NodeId node = kNoNode;
  size_t workspace_bytes = 0;
  uint32_t in_place = 0;  // KernelDef::in_place
};

struct MemoryLayout {
  std::vector<Place> values;              // by ValueId
  std::vector<size_t> workspace_offsets;  // by step
  size_t arena_bytes = 0;
  MemoryFigures figures;
};

// `graph` has concrete shapes; `steps` are its nodes in order, without views.
MemoryLayout LayOut(const Graph& graph, std::span<const LayoutStep> steps);

}  // namespace tamis
