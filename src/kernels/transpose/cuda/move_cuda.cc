// Transpose, Slice with constant bounds, Split, Concat and Expand: one strided copy for each part.
#include <algorithm>
#include <vector>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/cuda/move_elements.h"

namespace tamis::cuda {
namespace {

struct Part {
  size_t input = 0, output = 0;
  MoveArgs args;
};

std::vector<int64_t> StridesOf(const Dims& dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0; stride *= dims[i]) strides[i] = stride;
  return strides;
}

// A part over `dims`, with loops merged where both sides allow it.
Part MakePart(DType dtype, const Dims& dims, const std::vector<int64_t>& in, const std::vector<int64_t>& out) {
  Part part;
  MoveArgs& args = part.args;
  args.element_bytes = static_cast<int>(ByteSize(dtype, 1));
  args.count = NumElements(dims);
  args.rank = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    const int last = args.rank - 1;
    if (last >= 0 && args.in_strides[last] == in[i] * dims[i] && args.out_strides[last] == out[i] * dims[i]) {
      args.dims[last] *= dims[i];
      args.in_strides[last] = in[i];
      args.out_strides[last] = out[i];
      continue;
    }
    args.dims[args.rank] = dims[i];
    args.in_strides[args.rank] = in[i];
    args.out_strides[args.rank++] = out[i];
  }
  if (args.rank == 0) args.rank = 1, args.dims[0] = 1;
  return part;
}

std::vector<Part> TransposeParts(const Problem& problem) {
  const Operand &x = problem.input(0), &y = problem.outputs[0];
  const size_t rank = x.dims.size();
  std::vector<int64_t> reversed;
  for (size_t i = rank; i-- > 0;) reversed.push_back(static_cast<int64_t>(i));
  const auto perm = problem.node->Ints("perm", reversed);
  const auto strides = StridesOf(x.dims);
  std::vector<int64_t> in;
  for (const int64_t axis : perm) in.push_back(strides[static_cast<size_t>(axis)]);
  return {MakePart(y.dtype, y.dims, in, StridesOf(y.dims))};
}

std::vector<Part> ExpandParts(const Problem& problem) {
  const Operand &x = problem.input(0), &y = problem.outputs[0];
  const auto strides = StridesOf(x.dims);
  std::vector<int64_t> in(y.dims.size(), 0);
  for (size_t i = 0; i < x.dims.size(); ++i) {
    if (x.dims[i] != 1) in[y.dims.size() - x.dims.size() + i] = strides[i];
  }
  return {MakePart(y.dtype, y.dims, in, StridesOf(y.dims))};
}

// Concat's inputs, or Split's outputs, lie one behind the other along the axis of the whole.
std::vector<Part> PartsAlongAxis(const Problem& problem, bool concat) {
  const Dims& whole = concat ? problem.outputs[0].dims : problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), whole.size()));
  const auto whole_strides = StridesOf(whole);
  const auto& pieces = concat ? problem.inputs : problem.outputs;
  std::vector<Part> parts;
  int64_t offset = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].Present()) continue;
    const auto own = StridesOf(pieces[i].dims);
    Part part = concat ? MakePart(pieces[i].dtype, pieces[i].dims, own, whole_strides)
                       : MakePart(pieces[i].dtype, pieces[i].dims, whole_strides, own);
    (concat ? part.input : part.output) = i;
    (concat ? part.args.out_offset : part.args.in_offset) = offset;
    offset += pieces[i].dims[axis] * whole_strides[axis];
    if (part.args.count > 0) parts.push_back(part);
  }
  return parts;
}

Result<std::vector<Part>> SliceParts(const Problem& problem) {
  const Operand &x = problem.input(0), &y = problem.outputs[0];
  std::vector<int64_t> lists[4];  // starts, ends, axes, steps
  for (size_t i = 1; i < 5; ++i) {
    if (!problem.input(i).Present()) continue;
    if (problem.input(i).constant == nullptr) return UserError("the bounds of Slice are not constant");
    lists[i - 1] = problem.input(i).constant->ToInt64s();
  }
  auto in = StridesOf(x.dims);
  int64_t offset = 0;
  const auto strides = in;
  for (size_t i = 0; i < lists[0].size(); ++i) {
    const int64_t named = lists[2].empty() ? static_cast<int64_t>(i) : lists[2][i];
    const auto axis = static_cast<size_t>(NormalizeAxis(named, x.dims.size()));
    const int64_t step = lists[3].empty() ? 1 : lists[3][i];
    const int64_t size = x.dims[axis];
    int64_t start = lists[0][i] < 0 ? lists[0][i] + size : lists[0][i];
    start = std::clamp<int64_t>(start, 0, step < 0 ? size - 1 : size);
    offset += start * strides[axis];
    in[axis] = strides[axis] * step;
  }
  Part part = MakePart(y.dtype, y.dims, in, StridesOf(y.dims));
  part.args.in_offset = offset;
  return std::vector<Part>{part};
}

Result<std::vector<Part>> Parts(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const DType dtype = problem.input(0).dtype;
  if (BitSize(dtype) != 8 && BitSize(dtype) != 16 && BitSize(dtype) != 32 && BitSize(dtype) != 64) {
    return UserError("elements of {} bits", BitSize(dtype));
  }
  for (const auto* list : {&problem.inputs, &problem.outputs}) {
    for (const Operand& operand : *list) {
      if (operand.dims.size() > 8) return UserError("more than eight dimensions");
    }
  }
  if (Elements(problem.input(0)) == 0 || Elements(problem.outputs[0]) == 0) return UserError("an operand is empty");
  const std::string& op = problem.node->op;
  if (op == "Transpose") return TransposeParts(problem);
  if (op == "Expand") return ExpandParts(problem);
  if (op == "Slice") {
    if (problem.node->Has("starts")) return UserError("Slice with bounds as attributes (before opset 10)");
    return SliceParts(problem);
  }
  return PartsAlongAxis(problem, op == "Concat");
}

class Move : public CudaKernel {
 public:
  explicit Move(std::vector<Part> parts) : parts_(std::move(parts)) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    for (const Part& part : parts_) {
      MoveArgs args = part.args;
      args.x = in[part.input];
      args.y = out[part.output];
      TAMIS_RETURN_IF_ERROR(CudaStatus(LaunchMove(args, stream), "move_cuda"));
    }
    return {};
  }

 private:
  std::vector<Part> parts_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const auto parts, Parts(problem));
  static_cast<void>(parts);
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(auto parts, Parts(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Move>(std::move(parts)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_move_cuda = {.name = "move_cuda",
                                                    .family = "transpose",
                                                    .ops = {"Transpose", "Slice", "Split", "Concat", "Expand"},
                                                    .supports = Supports,
                                                    .prepare = Prepare};

}  // namespace tamis::cuda
