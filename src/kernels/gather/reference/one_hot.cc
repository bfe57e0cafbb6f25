// OneHot: `off` everywhere but where the index is the position along the new axis.
#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

// Items are indices before the axis; each owns [depth, inner] elements of the result.
struct Args {
  IndexList indices;
  int64_t depth = 0, inner = 1;
};

template <class T>
void Blocks(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
            std::byte* /*scratch*/) {
  const T off = static_cast<const T*>(inputs[2])[0], on = static_cast<const T*>(inputs[2])[1];
  for (int64_t item = begin; item < end; ++item) {
    T* out = static_cast<T*>(outputs[0]) + item * args.depth * args.inner;
    std::fill_n(out, args.depth * args.inner, off);
    for (int64_t i = 0; i < args.inner; ++i) {
      const int64_t index = args.indices.At(inputs[0], item * args.inner + i, args.depth);
      if (index >= 0 && index < args.depth) out[index * args.inner + i] = on;
    }
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(0), "input 0 (indices)"));
  return CheckMovable(problem.input(2).dtype);
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.outputs[0].dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", -1), dims.size()));
  const Args args{MakeIndexList(problem.input(0)), dims[axis], Product(dims, axis + 1, dims.size())};
  const int bytes = BitSize(problem.input(2).dtype) / 8;
  const auto body = bytes == 1   ? Blocks<uint8_t>
                    : bytes == 2 ? Blocks<uint16_t>
                    : bytes == 4 ? Blocks<uint32_t>
                                 : Blocks<uint64_t>;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      args, body, Product(dims, 0, axis), GrainFor(args.depth * args.inner, 131072), problem.threads));
}

}  // namespace

extern const KernelDef kernel_one_hot = {
    .name = "one_hot",
    .family = "gather",
    .ops = {"OneHot"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
