#include "src/server/protocol/tensor_json.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// One element as T; the reason if it is none.
template <class T>
const char* Convert(element value, T* out) {
  const element_type type = value.type();
  if constexpr (std::is_same_v<T, bool>) {
    if (type != element_type::BOOL) return "is not true or false";
    *out = value.get_bool().value_unsafe();
    return nullptr;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (type != element_type::STRING) return "is not a string";
    *out = value.get_string().value_unsafe();
    return nullptr;
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (value.get_double().get(number) != simdjson::SUCCESS) return "is not a number";
    *out = static_cast<T>(number);
    return std::isfinite(*out) ? nullptr : "is out of range";
  } else {
    if (type == element_type::INT64) {
      const int64_t number = value.get_int64().value_unsafe();
      if (!std::in_range<T>(number)) return "is out of range";
      *out = static_cast<T>(number);
      return nullptr;
    }
    if (type == element_type::UINT64) {
      const uint64_t number = value.get_uint64().value_unsafe();
      if (!std::in_range<T>(number)) return "is out of range";
      *out = static_cast<T>(number);
      return nullptr;
    }
    return "is not an integer";
  }
}

// The longest array a DOM node counts; longer ones are counted by walking.
constexpr size_t kCountLimit = 0xffffff;

size_t Length(simdjson::dom::array array) {
  if (array.size() < kCountLimit) return array.size();
  size_t count = 0;
  for (auto it = array.begin(), end = array.end(); it != end; ++it) ++count;
  return count;
}

bool Nested(simdjson::dom::array array) {
  return Length(array) > 0 && array.at(0).is_array();
}

// Whether the arrays nest as dims[depth...] say.
bool FollowsShape(simdjson::dom::array array, const Dims& dims, size_t depth) {
  if (depth >= dims.size() || Length(array) != static_cast<size_t>(dims[depth])) return false;
  if (depth + 1 == dims.size()) return true;
  for (element value : array) {
    simdjson::dom::array inner;
    if (value.get_array().get(inner) != simdjson::SUCCESS || !FollowsShape(inner, dims, depth + 1)) return false;
  }
  return true;
}

template <class T>
Status Fill(simdjson::dom::array array, bool nested, size_t depth, const Dims& dims, T* begin, T** out) {
  for (element value : array) {
    if (nested && depth + 1 < dims.size()) {
      TAMIS_RETURN_IF_ERROR(Fill<T>(value.get_array().value_unsafe(), nested, depth + 1, dims, begin, out));
    } else if (const char* wrong = Convert<T>(value, *out)) {
      return UserError("element {} {}", *out - begin, wrong);
    } else {
      ++*out;
    }
  }
  return {};
}

template <class T>
void Write(const Tensor& tensor, JsonWriter* json) {
  json->Reserve(static_cast<size_t>(tensor.NumElements()) * 12);
  for (const T& value : tensor.Span<T>()) {
    if constexpr (std::is_same_v<T, bool>) {
      json->Bool(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      json->String(value);
    } else {
      json->Number(value);
    }
  }
}

// Calls f.operator()<T>() with the C++ type of `dtype`; false if JSON has no form for it.
template <class F>
bool Dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool:
      f.template operator()<bool>();
      return true;
    case DType::kUInt8:
      f.template operator()<uint8_t>();
      return true;
    case DType::kInt8:
      f.template operator()<int8_t>();
      return true;
    case DType::kUInt16:
      f.template operator()<uint16_t>();
      return true;
    case DType::kInt16:
      f.template operator()<int16_t>();
      return true;
    case DType::kUInt32:
      f.template operator()<uint32_t>();
      return true;
    case DType::kInt32:
      f.template operator()<int32_t>();
      return true;
    case DType::kUInt64:
      f.template operator()<uint64_t>();
      return true;
    case DType::kInt64:
      f.template operator()<int64_t>();
      return true;
    case DType::kFloat32:
      f.template operator()<float>();
      return true;
    case DType::kFloat64:
      f.template operator()<double>();
      return true;
    case DType::kString:
      f.template operator()<std::string>();
      return true;
    default:
      return false;
  }
}

}  // namespace

bool HasJsonForm(DType dtype) {
  return Dispatch(dtype, []<class T>() {});
}

Result<Tensor> TensorFromJson(element data, DType dtype, const Dims& dims) {
  simdjson::dom::array array;
  if (data.get_array().get(array) != simdjson::SUCCESS) return UserError("its data is not an array");
  const int64_t count = NumElements(dims);
  const bool nested = Nested(array);
  if (nested && !FollowsShape(array, dims, 0)) {
    return UserError("its nested arrays do not follow the shape {}", ToString(dims));
  }
  if (!nested && Length(array) != static_cast<size_t>(count)) {
    return UserError("its data has {} elements, but its shape {} has {}", Length(array), ToString(dims), count);
  }
  Tensor tensor(dtype, dims);
  Status status;
  const bool known = Dispatch(dtype, [&]<class T>() {
    T* out = tensor.Data<T>();
    status = Fill<T>(array, nested, 0, dims, out, &out);
  });
  TAMIS_ASSERT(known);
  if (!status.ok()) return status;
  return tensor;
}

const char* BeyondJson(const Tensor& tensor) {
  const char* beyond = nullptr;
  Dispatch(tensor.dtype(), [&]<class T>() {
    const auto elements = tensor.Span<T>();
    if constexpr (std::is_same_v<T, std::string>) {
      const bool text = std::all_of(elements.begin(), elements.end(), [](const std::string& element) {
        return simdjson::validate_utf8(element.data(), element.size());
      });
      if (!text) beyond = "strings that are not UTF-8";
    } else if constexpr (std::is_floating_point_v<T>) {
      if (std::any_of(elements.begin(), elements.end(), [](T value) { return std::isinf(value); }))
        beyond = "infinities";
    }
  });
  return beyond;
}

void TensorToJson(const Tensor& tensor, JsonWriter* json) {
  json->BeginArray();
  const bool known = Dispatch(tensor.dtype(), [&]<class T>() { Write<T>(tensor, json); });
  TAMIS_ASSERT(known);
  json->EndArray();
}

}  // namespace tamis
