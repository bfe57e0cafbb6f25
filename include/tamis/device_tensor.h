// A tensor in a GPU's memory: what Session::RunOnDevice takes and gives.
//
// Copying one copies a handle. Row-major, contiguous. Work that reads or writes the elements is ordered by CUDA's
// streams, not by this object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tamis/tensor.h"

namespace tamis {

struct DeviceTensor {
  DType dtype = DType::kUndefined;
  Dims dims;
  void* data = nullptr;               // on the device
  int device = 0;                     // CUDA's ordinal
  std::shared_ptr<const void> owner;  // keeps the memory
};

using NamedDeviceTensors = std::map<std::string, DeviceTensor>;

}  // namespace tamis
