// Copies strings and lists out of FlatBuffers within a budget, so that metadata whose parts refer to one another many
// times take no more memory than honest ones of their size.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <string>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// Whether a list's elements lie as their type wants it; an empty one may lie anywhere. The verifier checks the length
// only.
template <class T>
bool IsAligned(const flatbuffers::Vector<T>& stored) {
  return stored.size() == 0 || reinterpret_cast<uintptr_t>(stored.Data()) % alignof(T) == 0;
}

class DecodeBudget {
 public:
  using Strings = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

  explicit DecodeBudget(uint64_t metadata_bytes) : left_(metadata_bytes * 4 + 65536) {}

  Status Charge(uint64_t bytes) {
    if (bytes > left_) return UserError("the metadata unfold to more than their size allows");
    left_ -= bytes;
    return {};
  }
  Status Text(const flatbuffers::String* stored, std::string* text) {
    text->clear();
    if (stored == nullptr) return {};
    TAMIS_RETURN_IF_ERROR(Charge(stored->size()));
    text->assign(stored->data(), stored->size());
    return {};
  }
  Status Texts(const Strings* stored, std::vector<std::string>* texts) {
    if (stored == nullptr) return {};
    for (const flatbuffers::String* text : *stored) {
      TAMIS_RETURN_IF_ERROR(Charge(8));
      TAMIS_RETURN_IF_ERROR(Text(text, &texts->emplace_back()));
    }
    return {};
  }
  template <class T>
  Status Numbers(const flatbuffers::Vector<T>* stored, std::vector<T>* numbers) {
    if (stored == nullptr) return {};
    if (!IsAligned(*stored)) return UserError("the metadata are malformed: a list of numbers is misaligned");
    TAMIS_RETURN_IF_ERROR(Charge(stored->size() * sizeof(T)));
    numbers->assign(stored->begin(), stored->end());
    return {};
  }

 private:
  uint64_t left_;
};

}  // namespace tamis
