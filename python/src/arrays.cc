#include "python/src/arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <map>

#include "python/src/errors.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

// Both directions of the dtype table. Never destroyed: the interpreter may be gone by then.
struct DTypeTable {
  nb::dict from_numpy;                // dtype object -> number
  std::map<DType, nb::object> numpy;  // number -> dtype object
  nb::object copy_contiguous;         // numpy.copy
};
DTypeTable& Table() {
  static auto* const kTable = new DTypeTable();
  return *kTable;
}

std::shared_ptr<const void> KeepAlive(nb::object object) {
  return {object.release().ptr(), [](const void* pointer) {
            if (!nb::is_alive()) return;
            const nb::gil_scoped_acquire gil;
            Py_DECREF(static_cast<PyObject*>(const_cast<void*>(pointer)));
          }};
}

DType DTypeOf(nb::handle array, const std::string& name) {
  const nb::object dtype = array.attr("dtype");
  const nb::object number = Table().from_numpy.attr("get")(dtype);
  if (!number.is_none()) return static_cast<DType>(nb::cast<int>(number));
  const auto kind = nb::cast<std::string>(dtype.attr("kind"));
  if (kind == "O" || kind == "U" || kind == "S" || kind == "T") return DType::kString;
  Raise(UserError("{} has dtype {}, which no ONNX type stands for", name, nb::cast<std::string>(nb::str(dtype))));
}

Dims DimsOf(nb::handle array) {
  Dims dims;
  for (const nb::handle dim : nb::cast<nb::tuple>(array.attr("shape"))) dims.push_back(nb::cast<int64_t>(dim));
  return dims;
}

std::string TextOf(nb::handle item, const std::string& name) {
  if (nb::isinstance<nb::str>(item)) return nb::cast<std::string>(item);
  if (nb::isinstance<nb::bytes>(item)) {
    const auto bytes = nb::borrow<nb::bytes>(item);
    return {bytes.c_str(), bytes.size()};
  }
  Raise(UserError("{} has an element of type {}; an array of objects holds str or bytes, as a tensor of strings does",
                  name, nb::cast<std::string>(nb::str(item.type().attr("__name__")))));
}

Tensor StringsFromArray(nb::handle array, const std::string& name) {
  (void)TextOf;
  (void)array;
  Raise(UserError("{}: tensors of strings are not supported yet", name));
}

}  // namespace

void SetDTypes(nb::dict dtypes) {
  DTypeTable& table = Table();
  for (const auto& [number, dtype] : dtypes) {
    table.numpy[static_cast<DType>(nb::cast<int>(number))] = nb::borrow(dtype);
    table.from_numpy[dtype] = number;
  }
  table.copy_contiguous = nb::module_::import_("numpy").attr("copy");
}

Tensor TensorFromArray(nb::handle handle, const std::string& name) {
  nb::object array = nb::borrow(handle);
  const DType dtype = DTypeOf(array, name);
  if (dtype == DType::kString) return StringsFromArray(array, name);
  const bool ready = nb::cast<bool>(array.attr("flags").attr("c_contiguous")) &&
                     nb::cast<bool>(array.attr("flags").attr("aligned")) &&
                     nb::cast<bool>(array.attr("dtype").attr("isnative"));
  if (!ready) array = Table().copy_contiguous(array, nb::arg("order") = "C");
  Dims dims = DimsOf(array);
  const nb::object interface = array.attr("__array_interface__");
  const auto address = nb::cast<uintptr_t>(nb::cast<nb::tuple>(interface["data"])[0]);
  const void* data = reinterpret_cast<const void*>(address);
  const int bits = BitSize(dtype);
  if (bits >= 8) return Tensor::View(dtype, std::move(dims), data, KeepAlive(std::move(array)));
  Tensor packed(dtype, std::move(dims));
  const auto* source = static_cast<const uint8_t*>(data);
  const int per_byte = 8 / bits;
  const auto mask = static_cast<uint8_t>((1 << bits) - 1);
  for (int64_t i = 0; i < packed.NumElements(); ++i) {
    packed.Data<uint8_t>()[i / per_byte] |= static_cast<uint8_t>((source[i] & mask) << (i % per_byte * bits));
  }
  return packed;
}

nb::object ArrayFromTensor(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  const auto found = Table().numpy.find(dtype);
  if (found == Table().numpy.end()) {
    Raise(UserError("element type {} has no NumPy dtype (is ml_dtypes too old?)", Name(dtype)));
  }
  Tensor bytes = tensor;
  const int bits = BitSize(dtype);
  if (bits < 8) {
    const int per_byte = 8 / bits;
    bytes = Tensor(DType::kUInt8, tensor.dims());
    for (int64_t i = 0; i < tensor.NumElements(); ++i) {
      // ml_dtypes wants the sign repeated through the unused bits of a signed type.
      auto element = static_cast<uint8_t>(tensor.Data<uint8_t>()[i / per_byte] << (8 - bits - i % per_byte * bits));
      const bool is_signed = dtype == DType::kInt4;
      element = is_signed ? static_cast<uint8_t>(static_cast<int8_t>(element) >> (8 - bits))
                          : static_cast<uint8_t>(element >> (8 - bits));
      bytes.Data<uint8_t>()[i] = element;
    }
  }
  auto* handle = new Tensor(bytes);
  nb::capsule owner(handle, [](void* pointer) noexcept { delete static_cast<Tensor*>(pointer); });
  const size_t size = handle->NumBytes();
  nb::object flat = nb::ndarray<nb::numpy, uint8_t>(handle->raw(), {size}, owner).cast();
  nb::list shape;
  for (const int64_t dim : tensor.dims()) shape.append(dim);
  return flat.attr("view")(found->second).attr("reshape")(nb::tuple(shape));
}

}  // namespace tamis::python
