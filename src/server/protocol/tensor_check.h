// What every protocol checks of a tensor that a request brings or asks for, against what the model declares.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/runtime/tensor_specs.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

inline constexpr size_t kMaxRank = 64;

// As much of a client's name as a message repeats.
std::string Short(std::string_view text);
// Whether the protocol has a name for the type; it has none for sequences.
bool CanTravel(const TensorSpec& spec);
std::string TypeOf(const TensorSpec& spec);

Status CheckDatatype(const TensorSpec& spec, std::string_view datatype);
// What follows them is a tensor whose bytes do not overflow.
Status CheckShape(const TensorSpec& spec, std::span<const int64_t> dims);

// The first problems with a request in words, and how many there are beyond.
class RequestFaults {
 public:
  void Add(std::string text);
  void Add(const std::string& of, const Status& status) {
    if (!status.ok()) Add(of + status.message());
  }
  bool empty() const { return faults_.empty(); }
  // kUser; OK if there is none.
  Status status() const;

 private:
  std::vector<std::string> faults_;
  size_t omitted_ = 0;
};

}  // namespace tamis
