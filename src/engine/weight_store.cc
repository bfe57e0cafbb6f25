#include "src/engine/weight_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "src/base/float16.h"
#include "src/base/hash.h"
#include "src/engine/decode_budget.h"
#include "src/engine/format.h"
#include "src/engine/weight_layout.h"

namespace tamis {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Zeroed pages, huge where the system gives them; null if there is no memory. Bytes behind the end are readable.
std::shared_ptr<std::byte> ZeroedPages(uint64_t bytes) {
  const size_t size = AlignUp(bytes + kWeightSlack, 4096);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (size >= kHugePage) (void)madvise(memory, size, MADV_HUGEPAGE);
  return {static_cast<std::byte*>(memory), [size](std::byte* p) { munmap(p, size); }};
}

bool KnownDType(DType dtype) {
  return BitSize(dtype) > 0;
}

Result<Tensor> Strings(const fb::Constant& stored, const std::string& name, Dims dims) {
  const size_t given = stored.strings() == nullptr ? 0 : stored.strings()->size();
  if (stored.weight() >= 0 || given != static_cast<size_t>(NumElements(dims))) {
    return UserError("constant '{}' has {} strings, its dimensions are {}", name, given, ToString(dims));
  }
  std::vector<std::string> strings;
  strings.reserve(given);
  for (size_t i = 0; i < given; ++i) strings.push_back(stored.strings()->Get(static_cast<uint32_t>(i))->str());
  return Tensor::Strings(std::move(dims), std::move(strings));
}

}  // namespace

Result<WeightStore> WeightStore::Open(const fb::Engine& metadata, const uint8_t* data, uint64_t bytes,
                                      std::shared_ptr<const void> owner) {
  WeightStore store;
  store.owner_ = std::move(owner);
  store.restorable_ = bytes * 16 + (uint64_t{1} << 20);
  if (metadata.weights() == nullptr) return store;
  for (const fb::Weight* stored : *metadata.weights()) {
    StoredWeight& weight = store.weights_.emplace_back();
    if (stored->name() != nullptr) weight.name = stored->name()->str().substr(0, 1024);
    const uint64_t offset = stored->offset();
    weight.bytes = stored->bytes();
    if (offset % kWeightAlignment != 0) return UserError("weight '{}' is not aligned", weight.name);
    if (offset > bytes || weight.bytes > bytes - offset || kWeightSlack > bytes - offset - weight.bytes) {
      return UserError("weight '{}' lies outside the file's weights", weight.name);
    }
    weight.data = data + offset;
    weight.checksum = stored->checksum();
    if (stored->encoding() == fb::Encoding::Dense) continue;
    if (stored->encoding() != fb::Encoding::TwoFour) {
      return UserError("weight '{}' has encoding {}, which this program does not know", weight.name,
                       static_cast<int>(stored->encoding()));
    }
    weight.two_four = true;
    weight.sparse = {stored->rows(), stored->row_elements(), stored->element_bytes()};
    const SparseShape& shape = weight.sparse;
    const bool fits = (shape.element_bytes == 1 || shape.element_bytes == 2 || shape.element_bytes == 4) &&
                      shape.rows > 0 && shape.row_elements > 0 && shape.row_elements <= kMaxElements &&
                      shape.rows <= kMaxElements / shape.row_elements && shape.EncodedBytes() == weight.bytes;
    if (!fits) return UserError("weight '{}' has a size that does not fit its 2:4 shape", weight.name);
  }
  return store;
}

Result<Tensor> WeightStore::Flat(StoredWeight& weight) {
  if (!weight.two_four) {
    return Tensor::View(DType::kUInt8, {static_cast<int64_t>(weight.bytes)}, weight.data, owner_);
  }
  auto memory = weight.decoded.lock();
  if (memory == nullptr) {
    memory = ZeroedPages(weight.DecodedBytes());
    if (memory == nullptr) {
      return RuntimeError("no memory for weight '{}' ({} bytes)", weight.name, weight.DecodedBytes());
    }
    weight.decoded = memory;
    pending_.push_back({&weight, memory});
  }
  return Tensor::View(DType::kUInt8, {static_cast<int64_t>(weight.DecodedBytes())}, memory.get(), memory);
}

Result<Tensor> WeightStore::Constant(const fb::Constant& stored, const std::string& name, uint64_t* hash) {
  const auto dtype = static_cast<DType>(stored.dtype());
  const auto stored_dtype = static_cast<DType>(stored.stored_dtype());
  *hash = 0;
  const bool is_string = dtype == DType::kString;
  if ((!is_string && !KnownDType(dtype)) || (stored.weight() >= 0 && !KnownDType(stored_dtype))) {
    return UserError("constant '{}' has an element type this program does not know", name);
  }
  Dims dims;
  if (stored.dims() != nullptr) {
    if (!IsAligned(*stored.dims())) return UserError("constant '{}' has misaligned dimensions", name);
    if (stored.dims()->size() > kMaxRank) return UserError("constant '{}' has more than {} dimensions", name, kMaxRank);
    dims.assign(stored.dims()->begin(), stored.dims()->end());
  }
  const int64_t count = NumElements(dims);
  if (count < 0 || static_cast<uint64_t>(count) > kMaxElements) {
    return UserError("constant '{}' has impossible dimensions {}", name, ToString(dims));
  }
  if (is_string) return Strings(stored, name, std::move(dims));
  const auto elements = static_cast<size_t>(count);
  const Status wrong_size = UserError("constant '{}' of type {}{} does not have as many bytes as that needs", name,
                                      Name(dtype), ToString(dims));
  if (stored.weight() < 0) {
    const size_t bytes = stored.inline_data() != nullptr ? stored.inline_data()->size() : 0;
    if (bytes != ByteSize(dtype, elements)) return wrong_size;
    Tensor tensor(dtype, std::move(dims));
    if (bytes > 0) std::memcpy(tensor.raw(), stored.inline_data()->data(), bytes);
    return tensor;
  }
  if (static_cast<size_t>(stored.weight()) >= weights_.size()) {
    return UserError("constant '{}' is weight number {}, but the file has {}", name, stored.weight(), weights_.size());
  }
  StoredWeight& weight = weights_[static_cast<size_t>(stored.weight())];
  if (weight.DecodedBytes() != ByteSize(stored_dtype, elements)) return wrong_size;
  const uint64_t key[] = {weight.checksum,
                          weight.two_four,
                          static_cast<uint64_t>(dtype),
                          static_cast<uint64_t>(stored_dtype),
                          static_cast<uint64_t>(stored.layout()),
                          Hash64(dims.data(), dims.size() * sizeof(int64_t))};
  *hash = std::max<uint64_t>(Hash64(key, sizeof(key)), 1);
  TAMIS_ASSIGN_OR_RETURN(Tensor flat, Flat(weight));
  Tensor tensor = Tensor::View(stored_dtype, dims, flat.raw(), std::make_shared<Tensor>(flat));
  if (stored.layout() == fb::Layout::Same && stored_dtype == dtype) return tensor;

  // Constants of the unfused graph, which is read when somebody asks for it, and those of narrower variants.
  const uint64_t copied = ByteSize(stored_dtype, elements) + ByteSize(dtype, elements);
  if (copied > restorable_) return UserError("the weights unfold to more than their size allows");
  restorable_ -= copied;
  DecodePending();
  if (stored.layout() != fb::Layout::Same) {
    if (stored.layout() > fb::Layout::UndoOihwToOhwi || BitSize(stored_dtype) % 8 != 0) {
      return UserError("constant '{}' is stored in a layout this program does not know", name);
    }
    const auto extent = ExtentOf(
        stored.layout() == fb::Layout::UndoTransposed2D ? WeightTransform::kTransposed2D : WeightTransform::kOihwToOhwi,
        dims);
    if (!extent) return UserError("constant '{}' has a rank that does not fit its layout", name);
    Tensor restored(stored_dtype, dims);
    TransposeBatches(tensor.raw(), {extent->batches, extent->columns, extent->rows},
                     static_cast<size_t>(BitSize(stored_dtype) / 8), restored.raw());
    tensor = std::move(restored);
  }
  if (stored_dtype == dtype) return tensor;
  if ((dtype == DType::kBFloat16 || dtype == DType::kFloat16) && stored_dtype == DType::kFloat32) {
    Tensor rounded(dtype, dims);
    const auto from = tensor.Span<float>();
    std::transform(from.begin(), from.end(), rounded.Data<uint16_t>(),
                   dtype == DType::kFloat16 ? FloatToHalf : FloatToBf16);
    return rounded;
  }
  if (dtype != DType::kFloat32 || (stored_dtype != DType::kBFloat16 && stored_dtype != DType::kFloat16)) {
    return UserError("constant '{}' is stored as {} for {}, which this program does not know", name, Name(stored_dtype),
                     Name(dtype));
  }
  return tensor.ToFloat32();
}

void WeightStore::DecodePending() {
  struct Part {
    const Pending* pending;
    uint64_t row_begin, row_end;
  };
  std::vector<Part> parts;
  uint64_t total = 0;
  for (const Pending& pending : pending_) {
    const SparseShape& shape = pending.weight->sparse;
    const uint64_t rows = std::max<uint64_t>(1, (uint64_t{1} << 18) / shape.row_elements);
    for (uint64_t row = 0; row < shape.rows; row += rows) {
      parts.push_back({&pending, row, std::min(row + rows, shape.rows)});
    }
    total += shape.DecodedBytes();
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < parts.size(); i = next.fetch_add(1)) {
      const Pending& pending = *parts[i].pending;
      DecodeTwoFour(pending.weight->data, pending.weight->sparse, parts[i].row_begin, parts[i].row_end,
                    pending.memory.get());
    }
  };
  // A thread costs about as much as decoding 100 KB.
  const size_t useful = std::min<size_t>({std::thread::hardware_concurrency(), 8, 1 + total / (size_t{1} << 20)});
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < useful; ++i) helpers.emplace_back(work);
    work();
  }
  pending_.clear();
}

}  // namespace tamis
