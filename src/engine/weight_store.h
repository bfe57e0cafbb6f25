// The weights of an open engine file: views into it, and 2:4 weights decoded.
//
// Open checks every offset and size. Constant() makes tensors; a 2:4 weight's memory is reserved then and filled by
// DecodePending. Not synchronised.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/engine/engine_generated.h"
#include "src/engine/sparse_codec.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

struct StoredWeight {
  std::string name;
  const uint8_t* data = nullptr;
  uint64_t bytes = 0;
  uint64_t checksum = 0;
  bool two_four = false;
  SparseShape sparse;
  std::weak_ptr<std::byte> decoded;  // 2:4 only: the elements, while a tensor uses them

  uint64_t DecodedBytes() const { return two_four ? sparse.DecodedBytes() : bytes; }
};

class WeightStore {
 public:
  // `data` are the `bytes` of the file's weights, kept alive by `owner`.
  static Result<WeightStore> Open(const fb::Engine& metadata, const uint8_t* data, uint64_t bytes,
                                  std::shared_ptr<const void> owner);
  // The tensor a constant means; `hash`, if it is stored as a weight, becomes its content hash (never 0 then).
  Result<Tensor> Constant(const fb::Constant& stored, const std::string& name, uint64_t* hash);
  // Fills the 2:4 weights that constants have asked for since the last call, on several threads.
  void DecodePending();

  const std::vector<StoredWeight>& weights() const { return weights_; }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  Result<Tensor> Flat(StoredWeight& weight);

  std::vector<StoredWeight> weights_;
  struct Pending {
    const StoredWeight* weight;
    std::shared_ptr<std::byte> memory;
  };
  std::vector<Pending> pending_;
  std::shared_ptr<const void> owner_;
  uint64_t restorable_ = 0;  // bytes that constants stored in another form may still take
};

}  // namespace tamis
