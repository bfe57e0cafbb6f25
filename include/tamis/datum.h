// What a value is at run time: nothing, a tensor, or a sequence of such.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tamis/tensor.h"

namespace tamis {

// ONNX's optional has no kind of its own: an optional that holds something is that thing, and one that holds nothing is
// kNone. Copying shares tensors and sequences; neither is changed after it was made.
class Datum {
 public:
  enum class Kind : uint8_t { kNone, kTensor, kSequence };

  Datum() = default;
  Datum(Tensor tensor) : kind_(Kind::kTensor), tensor_(std::move(tensor)) {}  // NOLINT: implicit by design
  static Datum Sequence(std::vector<Datum> elements) {
    Datum datum;
    datum.kind_ = Kind::kSequence;
    datum.elements_ = std::make_shared<const std::vector<Datum>>(std::move(elements));
    return datum;
  }

  Kind kind() const { return kind_; }
  bool IsNone() const { return kind_ == Kind::kNone; }
  bool IsTensor() const { return kind_ == Kind::kTensor; }
  bool IsSequence() const { return kind_ == Kind::kSequence; }
  // Undefined unless IsTensor().
  const Tensor& tensor() const { return tensor_; }
  Tensor& tensor() { return tensor_; }
  // Empty unless IsSequence().
  const std::vector<Datum>& elements() const {
    static const std::vector<Datum> kEmpty;
    return elements_ ? *elements_ : kEmpty;
  }

 private:
  Kind kind_ = Kind::kNone;
  Tensor tensor_;
  std::shared_ptr<const std::vector<Datum>> elements_;
};

using NamedData = std::map<std::string, Datum>;

}  // namespace tamis
