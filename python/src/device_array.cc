#include "python/src/device_array.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <vector>

#include "python/src/arrays.h"
#include "python/src/dlpack_types.h"
#include "python/src/errors.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

constexpr int kCuda = nb::device::cuda::value, kCudaManaged = nb::device::cuda_managed::value;

using AnyArray = nb::ndarray<nb::ro, nb::c_contig>;

[[noreturn]] void RaiseBufferError(const std::string& text) {
  PyErr_SetString(PyExc_BufferError, text.c_str());
  throw nb::python_error();
}

std::pair<int, int> DeviceOf(nb::handle value) {
  const nb::tuple device(value.attr("__dlpack_device__")());
  return {nb::cast<int>(nb::int_(device[0])), nb::cast<int>(nb::int_(device[1]))};
}

// The memory of an array for a reader on another stream than the one it was made on: the reader's work sees the
// elements, and a later output that gets the memory waits for what the reader's stream has then.
std::shared_ptr<const void> OwnerFor(const PyDeviceArray& array, uint64_t reader) {
  if (reader == array.stream) return array.tensor.owner;
  Check(array.session->OrderDeviceStreams(array.stream, reader));
  return {array.tensor.owner.get(), [held = array.tensor.owner, session = array.session, made = array.stream, reader](
                                        const void*) { static_cast<void>(session->OrderDeviceStreams(reader, made)); }};
}

// As the array API standard has it.
nb::object Export(const PyDeviceArray& self, std::optional<int64_t> stream,
                  const std::optional<std::pair<int, int>>& device, std::optional<bool> copy) {
  if (copy.value_or(false)) RaiseBufferError("tamis.DeviceArray shares its memory; it makes no copies");
  if (device && *device != std::pair(kCuda, self.tensor.device)) {
    RaiseBufferError("tamis.DeviceArray stays where it is: on CUDA device " + std::to_string(self.tensor.device));
  }
  if (stream == 0) Raise(UserError("stream 0 means two things; the array API has 1 or 2 for them"));
  const nb::dlpack::dtype dtype = DlpackOf(self.tensor.dtype);
  if (dtype.bits == 0) RaiseBufferError("DLPack has no element type " + std::string(Name(self.tensor.dtype)));
  auto* handle = new std::shared_ptr<const void>(OwnerFor(self, stream == -1 ? self.stream : StreamHandle(stream)));
  nb::capsule capsule(handle,
                      [](void* pointer) noexcept { delete static_cast<std::shared_ptr<const void>*>(pointer); });
  std::vector<size_t> shape;
  for (const int64_t dim : self.tensor.dims) shape.push_back(static_cast<size_t>(dim));
  const nb::ndarray<> array(self.tensor.data, shape.size(), shape.data(), capsule, nullptr, dtype, kCuda,
                            self.tensor.device);
  return nb::cast(array);  // of no framework: the capsule itself
}

}  // namespace

uint64_t StreamHandle(std::optional<int64_t> stream) {
  if (stream.value_or(0) < 0) Raise(UserError("stream is {}; it takes the handle of a CUDA stream", *stream));
  return stream.value_or(0) == 0 ? 1 : static_cast<uint64_t>(*stream);
}

DeviceTensor DeviceTensorFrom(nb::handle value, const std::string& name, uint64_t stream) {
  const auto type = nb::cast<std::string>(nb::str(value.type().attr("__name__")));
  if (!nb::hasattr(value, "__dlpack__") || !nb::hasattr(value, "__dlpack_device__")) {
    Raise(UserError("{}: a {} does not lie in a GPU's memory; run() takes it", name, type));
  }
  if (nb::isinstance<PyDeviceArray>(value)) {
    const auto& array = nb::cast<const PyDeviceArray&>(value);
    DeviceTensor tensor = array.tensor;
    tensor.owner = OwnerFor(array, stream);
    return tensor;
  }
  const auto [kind, device] = DeviceOf(value);
  if (kind != kCuda && kind != kCudaManaged) {
    Raise(
        UserError("{}: the {} lies on DLPack's device ({}, {}), not in a GPU's memory; run() takes what lies in the "
                  "host's",
                  name, type, kind, device));
  }
  nb::object capsule;
  try {
    capsule = value.attr("__dlpack__")(nb::arg("stream") = static_cast<int64_t>(stream));
  } catch (const nb::python_error& error) {
    Raise(UserError("{}: its {} can't be read through DLPack ({}); if of torch, it must be detached", name, type,
                    nb::cast<std::string>(nb::str(error.value()))));
  }
  AnyArray shared;
  if (!nb::try_cast(capsule, shared, false)) {
    Raise(UserError("{}: its {} is not contiguous: rows must lie one after the other (.contiguous() of torch)", name,
                    type));
  }
  DeviceTensor tensor;
  tensor.dtype = DTypeOfDlpack(shared.dtype());
  if (tensor.dtype == DType::kUndefined) {
    Raise(UserError("{} has DLPack element type ({}, {} bits), which no ONNX type stands for", name,
                    shared.dtype().code, shared.dtype().bits));
  }
  for (size_t axis = 0; axis < shared.ndim(); ++axis) tensor.dims.push_back(static_cast<int64_t>(shared.shape(axis)));
  tensor.data = const_cast<void*>(static_cast<const void*>(shared.data()));
  tensor.device = device;
  tensor.owner = std::shared_ptr<const void>(new AnyArray(std::move(shared)), [](const void* held) {
    if (!nb::is_alive()) return;
    const nb::gil_scoped_acquire gil;
    delete static_cast<const AnyArray*>(held);
  });
  return tensor;
}

void DefineDeviceArray(nb::module_& module) {
  nb::class_<PyDeviceArray>(module, "DeviceArray",
                            "A tensor in a GPU's memory, which any framework with DLPack takes as it is: "
                            "torch.from_dlpack(array)")
      .def_prop_ro("shape",
                   [](const PyDeviceArray& self) {
                     nb::list dims;
                     for (const int64_t dim : self.tensor.dims) dims.append(dim);
                     return nb::tuple(dims);
                   })
      .def_prop_ro("dtype", [](const PyDeviceArray& self) { return NumpyDType(self.tensor.dtype); })
      .def_prop_ro("device", [](const PyDeviceArray& self) { return self.tensor.device; })
      .def("__dlpack_device__", [](const PyDeviceArray& self) { return std::pair(kCuda, self.tensor.device); })
      .def(
          "__dlpack__",
          [](const PyDeviceArray& self, std::optional<int64_t> stream, const nb::object&,
             const std::optional<std::pair<int, int>>& device,
             std::optional<bool> copy) { return Export(self, stream, device, copy); },
          nb::kw_only(), nb::arg("stream") = nb::none(), nb::arg("max_version") = nb::none(),
          nb::arg("dl_device") = nb::none(), nb::arg("copy") = nb::none());
}

}  // namespace tamis::python
