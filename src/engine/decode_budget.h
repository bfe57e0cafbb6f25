// Copies strings and lists out of FlatBuffers within a budget, so that metadata whose parts refer to one another many
// times take no more memory than honest ones of their size.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <string>
#include <vector>

#include "tamis/status.h"

namespace tamis {

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
    TAMIS_RETURN_IF_ERROR(Charge(stored->size() * sizeof(T)));
    numbers->assign(stored->begin(), stored->end());
    return {};
  }

 private:
  uint64_t left_;
};

}  // namespace tamis
