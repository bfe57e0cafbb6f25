#include "python/src/arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <map>
#include <memory>
#include <variant>

#include "python/src/dlpack_types.h"
#include "python/src/errors.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

// Both directions of the dtype table. Never destroyed: the interpreter may be gone by then.
struct DTypeTable {
  nb::dict from_numpy;                           // dtype object -> number
  std::map<DType, nb::object> numpy;             // number -> dtype object
  nb::object ndarray, generic;                   // NumPy's types of arrays and of scalars
  nb::object copy, empty, asarray, from_dlpack;  // NumPy's functions
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
  if (!number.is_none()) {
    const auto known = static_cast<DType>(nb::cast<int>(number));
    if (BitSize(known) > 0) return known;
  }
  const auto kind = nb::cast<std::string>(dtype.attr("kind"));
  if (kind == "O" || kind == "U" || kind == "S" || kind == "T") return DType::kString;
  Raise(UserError("{} has dtype {}, which is not supported", name, nb::cast<std::string>(nb::str(dtype))));
}

nb::object AsArray(nb::handle value, const std::string& name) {
  try {
    return Table().asarray(value);
  } catch (const nb::python_error& error) {
    Raise(UserError("{} is no array: {}", name, error.what()));
  }
}

using AnyArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

// An array of another framework (torch, jax, ...), whose memory is shared; what NumPy can read of other layouts becomes
// an array of NumPy's instead.
std::variant<Tensor, nb::object> FromDlpack(nb::handle value, const std::string& name) {
  std::unique_ptr<AnyArray> array;
  if (AnyArray shared; nb::try_cast(value, shared)) {
    array = std::make_unique<AnyArray>(std::move(shared));
  } else {
    try {
      return Table().from_dlpack(value);
    } catch (const nb::python_error& error) {
      Raise(
          UserError("{}: its {} can't be read through DLPack ({}); it must be in CPU memory, contiguous and, if of "
                    "torch, detached",
                    name, nb::cast<std::string>(nb::str(value.type().attr("__name__"))),
                    nb::cast<std::string>(nb::str(error.value()))));
    }
  }
  const DType dtype = DTypeOfDlpack(array->dtype());
  if (dtype == DType::kUndefined) {
    Raise(UserError("{} has DLPack element type ({}, {} bits), which no ONNX type stands for", name,
                    array->dtype().code, array->dtype().bits));
  }
  Dims dims;
  for (size_t axis = 0; axis < array->ndim(); ++axis) dims.push_back(static_cast<int64_t>(array->shape(axis)));
  const void* data = array->data();
  return Tensor::View(dtype, std::move(dims), data, std::shared_ptr<const void>(array.release(), [](const void* held) {
                        if (!nb::is_alive()) return;
                        const nb::gil_scoped_acquire gil;
                        delete static_cast<const AnyArray*>(held);
                      }));
}

Tensor Packed(DType dtype, Dims dims, const uint8_t* elements) {
  Tensor packed(dtype, std::move(dims));
  const int bits = BitSize(dtype);
  const int per_byte = 8 / bits;
  const auto mask = static_cast<uint8_t>((1 << bits) - 1);
  for (int64_t i = 0; i < packed.NumElements(); ++i) {
    packed.Data<uint8_t>()[i / per_byte] |= static_cast<uint8_t>((elements[i] & mask) << (i % per_byte * bits));
  }
  return packed;
}

// One element a byte, as ml_dtypes has them: the sign of a signed integer repeated through the byte.
Tensor Unpacked(const Tensor& packed) {
  Tensor elements(DType::kUInt8, packed.dims());
  const int bits = BitSize(packed.dtype());
  const int per_byte = 8 / bits;
  const bool is_signed = Name(packed.dtype()).starts_with("int");
  for (int64_t i = 0; i < packed.NumElements(); ++i) {
    const auto high = static_cast<uint8_t>(packed.Data<uint8_t>()[i / per_byte] << (8 - bits - i % per_byte * bits));
    elements.Data<uint8_t>()[i] =
        static_cast<uint8_t>(is_signed ? static_cast<int8_t>(high) >> (8 - bits) : high >> (8 - bits));
  }
  return elements;
}

Dims DimsOf(nb::handle array) {
  Dims dims;
  for (const nb::handle dim : nb::cast<nb::tuple>(array.attr("shape"))) dims.push_back(nb::cast<int64_t>(dim));
  return dims;
}

// Strings are UTF-8; bytes that are none survive the round trip as Python's "surrogateescape" has them.
std::string TextOf(nb::handle item, const std::string& name) {
  if (nb::isinstance<nb::bytes>(item)) {
    const auto bytes = nb::borrow<nb::bytes>(item);
    return {bytes.c_str(), bytes.size()};
  }
  if (nb::isinstance<nb::str>(item)) {
    const auto bytes = nb::steal<nb::bytes>(PyUnicode_AsEncodedString(item.ptr(), "utf-8", "surrogateescape"));
    if (bytes.is_valid()) return {bytes.c_str(), bytes.size()};
    PyErr_Clear();
  }
  Raise(UserError("{} has the element {}; an array of objects holds str or bytes, as a tensor of strings does", name,
                  nb::cast<std::string>(nb::repr(item))));
}

Tensor StringsFromArray(nb::handle array, const std::string& name) {
  std::vector<std::string> values;
  for (const nb::handle item : nb::cast<nb::list>(array.attr("ravel")().attr("tolist")())) {
    values.push_back(TextOf(item, name));
  }
  return Tensor::Strings(DimsOf(array), std::move(values));
}

nb::object ArrayFromStrings(const Tensor& tensor) {
  nb::list items;
  for (const std::string& text : tensor.Span<std::string>()) {
    items.append(nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape")));
  }
  nb::list shape;
  for (const int64_t dim : tensor.dims()) shape.append(dim);
  nb::object array = Table().empty(tensor.NumElements(), nb::arg("dtype") = "O");
  array[nb::slice(nb::none(), nb::none(), nb::none())] = items;
  return array.attr("reshape")(nb::tuple(shape));
}

}  // namespace

void SetDTypes(nb::dict dtypes) {
  DTypeTable& table = Table();
  for (const auto& [number, dtype] : dtypes) {
    table.numpy[static_cast<DType>(nb::cast<int>(number))] = nb::borrow(dtype);
    table.from_numpy[dtype] = number;
  }
  const nb::module_ numpy = nb::module_::import_("numpy");
  table.ndarray = numpy.attr("ndarray");
  table.generic = numpy.attr("generic");
  table.copy = numpy.attr("copy");
  table.empty = numpy.attr("empty");
  table.asarray = numpy.attr("asarray");
  table.from_dlpack = numpy.attr("from_dlpack");
}

nb::object NumpyDType(DType dtype) {
  const auto found = Table().numpy.find(dtype);
  if (found == Table().numpy.end()) {
    Raise(UserError("element type {} has no NumPy dtype (is ml_dtypes too old?)", Name(dtype)));
  }
  return found->second;
}

Tensor TensorFromArray(nb::handle handle, const std::string& name) {
  nb::object array = nb::borrow(handle);
  if (!nb::isinstance(array, Table().ndarray)) {
    const bool scalar = nb::isinstance(array, Table().generic);
    if (!scalar && nb::hasattr(array, "__dlpack__")) {
      auto taken = FromDlpack(array, name);
      if (auto* tensor = std::get_if<Tensor>(&taken)) return std::move(*tensor);
      array = std::get<nb::object>(std::move(taken));
    } else {
      array = AsArray(array, name);
    }
  }
  if (!nb::cast<bool>(array.attr("dtype").attr("isnative"))) {
    array = array.attr("astype")(array.attr("dtype").attr("newbyteorder")("="));
  }
  const DType dtype = DTypeOf(array, name);
  if (dtype == DType::kString) return StringsFromArray(array, name);
  const bool ready =
      nb::cast<bool>(array.attr("flags").attr("c_contiguous")) && nb::cast<bool>(array.attr("flags").attr("aligned"));
  if (!ready) array = Table().copy(array, nb::arg("order") = "C");
  Dims dims = DimsOf(array);
  const nb::object interface = array.attr("__array_interface__");
  const auto address = nb::cast<uintptr_t>(nb::cast<nb::tuple>(interface["data"])[0]);
  const void* data = reinterpret_cast<const void*>(address);
  if (BitSize(dtype) < 8) return Packed(dtype, std::move(dims), static_cast<const uint8_t*>(data));
  return Tensor::View(dtype, std::move(dims), data, KeepAlive(std::move(array)));
}

nb::object ArrayFromTensor(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kString) return ArrayFromStrings(tensor);
  const nb::object numpy = NumpyDType(dtype);
  auto* handle = new Tensor(BitSize(dtype) < 8 ? Unpacked(tensor) : tensor);
  nb::capsule owner(handle, [](void* pointer) noexcept { delete static_cast<Tensor*>(pointer); });
  const size_t size = handle->NumBytes();
  nb::object flat = nb::ndarray<nb::numpy, uint8_t>(handle->raw(), {size}, owner).cast();
  nb::list shape;
  for (const int64_t dim : tensor.dims()) shape.append(dim);
  return flat.attr("view")(numpy).attr("reshape")(nb::tuple(shape));
}

Datum DatumFromObject(nb::handle value, const TensorSpec& spec) {
  const std::string name = "input '" + spec.name + "'";
  if (value.is_none()) return {};
  if (!spec.sequence || !(nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value))) {
    return TensorFromArray(value, name);
  }
  std::vector<Datum> elements;
  for (const nb::handle item : value) {
    elements.emplace_back(TensorFromArray(item, fmt::format("element {} of {}", elements.size(), name)));
  }
  return Datum::Sequence(std::move(elements));
}

nb::object ObjectFromDatum(const Datum& datum) {
  if (datum.IsTensor()) return ArrayFromTensor(datum.tensor());
  if (datum.IsNone()) return nb::none();
  nb::list list;
  for (const Datum& element : datum.elements()) list.append(ObjectFromDatum(element));
  return list;
}

}  // namespace tamis::python
