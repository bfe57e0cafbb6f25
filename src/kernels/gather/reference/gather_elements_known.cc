// GatherElements by indices that are known before: what relative positions of tokens are looked up with. Checked and
// made places in the data once, as four bytes each; where all slabs of the first axis are picked alike, of one slab.
#include <algorithm>
#include <cstring>

#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr int64_t kChunk = 512;  // elements of an item

struct Args {
  std::shared_ptr<const std::vector<int32_t>> places;  // in a slab of the data, by element of the result's slab
  int64_t chunks = 0;                                  // items of a slab
  int64_t stride = 0;                                  // elements of a slab of the data
};

template <class T>
void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto size = static_cast<int64_t>(args.places->size());
  for (int64_t item = begin; item < end; ++item) {
    const int64_t slab = item / args.chunks, first = item % args.chunks * kChunk;
    const int64_t count = std::min(kChunk, size - first);
    const T* from = static_cast<const T*>(inputs[0]) + slab * args.stride;
    const int32_t* places = args.places->data() + first;
    T* to = static_cast<T*>(outputs[0]) + slab * size + first;
    for (int64_t i = 0; i < count; ++i) to[i] = from[places[i]];
  }
}

size_t AxisOf(const Problem& problem) {
  return static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), problem.input(0).dims.size()));
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckGatherElements(problem));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  if (problem.input(1).constant == nullptr) return UserError("the indices are not constant");
  const Dims& dims = problem.input(0).dims;
  if (Elements(problem.input(0)) > INT32_MAX) return UserError("places in {} need more than 31 bits", ToString(dims));
  const IndexList list = MakeIndexList(problem.input(1));
  return CheckIndices(list, problem.input(1).constant->raw(), {dims[AxisOf(problem)]}, "GatherElements");
}

// Whether every slab of the first axis picks what the first one does.
bool SlabsAlike(const Tensor& indices) {
  const size_t bytes = indices.dim(0) == 0 ? 0 : indices.NumBytes() / static_cast<size_t>(indices.dim(0));
  for (int64_t slab = 1; slab < indices.dim(0); ++slab) {
    if (std::memcmp(indices.raw(), indices.raw() + bytes * static_cast<size_t>(slab), bytes) != 0) return false;
  }
  return indices.rank() > 1;
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Operand& data = problem.input(0);
  const Tensor& indices = *problem.input(1).constant;
  const Dims& dims = problem.input(1).dims;
  const IndexList list = MakeIndexList(problem.input(1));
  const size_t axis = AxisOf(problem);
  const auto strides = ElementStrides(data.dims);
  const bool alike = axis != 0 && SlabsAlike(indices);
  const int64_t slabs = alike ? dims[0] : 1;
  const int64_t size = slabs == 0 ? 0 : list.count / slabs;
  std::vector<int32_t> places(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    int64_t rest = i, place = list.At(indices.raw(), i, data.dims[axis]) * strides[axis];
    for (size_t d = dims.size(); d-- > 0; rest /= std::max<int64_t>(dims[d], 1)) {
      if (d != axis) place += rest % dims[d] * strides[d];
    }
    places[static_cast<size_t>(i)] = static_cast<int32_t>(place);
  }
  Args args;
  args.places = std::make_shared<const std::vector<int32_t>>(std::move(places));
  args.chunks = (size + kChunk - 1) / kChunk;
  args.stride = alike ? strides[0] : 0;
  const int bytes = BitSize(data.dtype) / 8;
  const auto body = bytes == 1   ? Body<uint8_t>
                    : bytes == 2 ? Body<uint16_t>
                    : bytes == 4 ? Body<uint32_t>
                                 : Body<uint64_t>;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, slabs * args.chunks, GrainFor(2 * kChunk), problem.threads));
}

// A place is read with each element.
double Cost(const Problem& problem) {
  return 0.9 * PredictCopySeconds(problem);
}

}  // namespace

extern const KernelDef kernel_gather_elements_known = {
    .name = "gather_elements_known",
    .family = "gather",
    .ops = {"GatherElements"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
