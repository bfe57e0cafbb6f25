// Tensors in a GPU's memory: those of other frameworks as inputs, and tamis.DeviceArray, which the outputs are.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>

#include "tamis/session.h"

namespace tamis::python {

// An output of Session.run_on_device. What is enqueued on `stream` after the run sees its elements.
struct PyDeviceArray {
  DeviceTensor tensor;
  std::shared_ptr<Session> session;
  uint64_t stream = 0;
};

// The handle of a CUDA stream as the array API counts: None is 1, the legacy default stream, 2 the calling thread's;
// PyTorch calls the first one 0. Throws ValueError for negative numbers.
uint64_t StreamHandle(std::optional<int64_t> stream);

// A tensor of any framework with DLPack, in CUDA's memory, whose elements the work of `stream` may read from now on.
// Throws ValueError with `name` in its message.
DeviceTensor DeviceTensorFrom(nanobind::handle value, const std::string& name, uint64_t stream);

void DefineDeviceArray(nanobind::module_& module);

}  // namespace tamis::python
