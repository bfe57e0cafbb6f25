#include "src/server/protocol/tensor_check.h"

#include <algorithm>

namespace tamis {
namespace {
constexpr size_t kMaxFaults = 16;
}  // namespace

std::string Short(std::string_view text) {
  return std::string(text.substr(0, 128)) + (text.size() > 128 ? "..." : "");
}

bool CanTravel(const TensorSpec& spec) {
  return !spec.sequence && !KserveName(spec.dtype).empty();
}

std::string TypeOf(const TensorSpec& spec) {
  return spec.type.empty() ? std::string(Name(spec.dtype)) : spec.type;
}

Status CheckDatatype(const TensorSpec& spec, std::string_view datatype) {
  const std::string_view expected = KserveName(spec.dtype);
  if (!CanTravel(spec)) {
    return UserError("the model wants {}, which cannot be sent over this protocol", TypeOf(spec));
  }
  if (datatype == expected) return {};
  return UserError("datatype is '{}', but the model wants '{}'", Short(datatype), expected);
}

Status CheckShape(const TensorSpec& spec, std::span<const int64_t> dims) {
  if (dims.size() > kMaxRank) return UserError("its shape has more than {} dimensions", kMaxRank);
  if (std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim <= 0; })) {
    return UserError("its shape has a dimension that is not a positive integer");
  }
  const Dims given(dims.begin(), dims.end());
  bool fits = !spec.has_rank || dims.size() == spec.dims.size();
  for (size_t i = 0; fits && spec.has_rank && i < dims.size(); ++i) {
    fits = spec.dims[i] < 0 || spec.dims[i] == dims[i];
  }
  if (!fits) {
    return UserError("shape is {}, but the model wants {}{}", ToString(given), ToString(spec.dims),
                     std::count(spec.dims.begin(), spec.dims.end(), -1) > 0 ? " (-1: any)" : "");
  }
  // A product this large could not have been sent, and its bytes would overflow.
  if (const int64_t count = NumElements(given); count < 0 || count > int64_t{1} << 48) {
    return UserError("shape {} has too many elements", ToString(given));
  }
  return {};
}

void RequestFaults::Add(std::string text) {
  if (faults_.size() < kMaxFaults) {
    faults_.push_back(std::move(text));
  } else {
    ++omitted_;
  }
}

Status RequestFaults::status() const {
  if (faults_.empty()) return {};
  std::string text;
  for (const std::string& fault : faults_) text += (text.empty() ? "" : "; ") + fault;
  if (omitted_ > 0) text += "; and " + std::to_string(omitted_) + " more";
  return UserError("{}", text);
}

}  // namespace tamis
