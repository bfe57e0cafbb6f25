#include "src/ops/ml/op_label_map.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "src/ops/op_bind.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

// The same for numbers that are equal, whatever their types; integers beyond 2^53 stay apart.
std::vector<uint64_t> KeysOf(const Tensor& tensor) {
  std::vector<uint64_t> keys;
  if (IsInteger(tensor.dtype()) || tensor.dtype() == DType::kBool) {
    for (const int64_t value : tensor.ToInt64s()) keys.push_back(static_cast<uint64_t>(value));
    return keys;
  }
  for (double value : ReadDoubles(tensor)) {
    if (value == 0) value = 0;  // -0 is 0
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    keys.push_back(std::bit_cast<uint64_t>(value));
  }
  return keys;
}

template <class T>
Tensor Joined(const Tensor& values, const Tensor& otherwise) {
  Tensor joined(values.dtype(), {values.NumElements() + 1});
  std::copy_n(values.Data<T>(), values.NumElements(), joined.Data<T>());
  joined.Data<T>()[values.NumElements()] = *otherwise.Data<T>();
  return joined;
}

}  // namespace

Result<LabelMap> LabelMap::Make(const Tensor& keys, const Tensor& values, const Tensor& otherwise) {
  if (keys.NumElements() != values.NumElements()) {
    return UserError("there are {} keys and {} values", keys.NumElements(), values.NumElements());
  }
  if (otherwise.dtype() != values.dtype() || otherwise.NumElements() != 1) {
    return UserError("the default is {}{}, must be one {}", Name(otherwise.dtype()), ToString(otherwise.dims()),
                     Name(values.dtype()));
  }
  LabelMap map;
  map.takes_strings_ = keys.dtype() == DType::kString;
  int64_t place = 0;
  if (map.takes_strings_) {
    for (const std::string& key : keys.Span<std::string>()) map.texts_[key] = place++;
  } else {
    for (const uint64_t key : KeysOf(keys)) map.numbers_[key] = place++;
  }
  switch (BitSize(values.dtype())) {
    case 0:
      map.values_ = Joined<std::string>(values, otherwise);
      return map;
    case 8:
      map.values_ = Joined<uint8_t>(values, otherwise);
      return map;
    case 16:
      map.values_ = Joined<uint16_t>(values, otherwise);
      return map;
    case 32:
      map.values_ = Joined<uint32_t>(values, otherwise);
      return map;
    case 64:
      map.values_ = Joined<uint64_t>(values, otherwise);
      return map;
    default:
      return UserError("values of type {} are not supported", Name(values.dtype()));
  }
}

void LabelMap::Map(const Tensor& labels, Tensor* results) const {
  const int64_t count = labels.NumElements(), otherwise = values_.NumElements() - 1;
  std::vector<int64_t> places(static_cast<size_t>(count), otherwise);
  if (takes_strings_) {
    for (int64_t i = 0; i < count; ++i) {
      const auto found = texts_.find(labels.Data<std::string>()[i]);
      if (found != texts_.end()) places[static_cast<size_t>(i)] = found->second;
    }
  } else {
    const std::vector<uint64_t> keys = KeysOf(labels);
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto found = numbers_.find(keys[i]);
      if (found != numbers_.end()) places[i] = found->second;
    }
  }
  const size_t bytes = ByteSize(values_.dtype(), 1);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = places[static_cast<size_t>(i)];
    if (bytes == 0) {
      results->Data<std::string>()[i] = values_.Data<std::string>()[place];
    } else {
      std::copy_n(values_.raw() + static_cast<size_t>(place) * bytes, bytes,
                  results->raw() + static_cast<size_t>(i) * bytes);
    }
  }
}

Status InferLabels(InferContext& context, LabelMapReader read) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const DType dtype = context.InputDType(0);
  const auto map = read(context.node(), dtype);
  if (!map.ok()) return context.Error(map.status().message());
  if (dtype != DType::kUndefined && (dtype == DType::kString) != map->TakesStrings()) {
    return context.Error(
        fmt::format("input 0 is {}, the keys are {}", Name(dtype), map->TakesStrings() ? "strings" : "numbers"));
  }
  context.SetOutputDType(0, map->result());
  const Shape* shape = context.InputShape(0);
  return shape == nullptr ? Status() : SetShape(context, 0, map->result(), *shape);
}

Status EvalLabels(EvalContext& context, LabelMapReader read) {
  if (context.input(0) == nullptr) return context.Error("input 0 is missing");
  TAMIS_ASSIGN_OR_RETURN(const LabelMap map, read(context.node, context.input(0)->dtype()));
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  map.Map(*context.input(0), &context.outputs[0]);
  return {};
}

Tensor LabelStrings(const std::vector<std::string>& values) {
  return Tensor::Strings({static_cast<int64_t>(values.size())}, values);
}

Tensor LabelInts(const std::vector<int64_t>& values) {
  return Tensor::Int64s(values);
}

Tensor LabelFloats(const std::vector<float>& values) {
  return Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size())}, values);
}

}  // namespace tamis
