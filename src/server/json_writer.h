// Writes JSON (RFC 8259) into a string.
//
// Numbers are the shortest text that reads back as the same value. JSON has no NaN and no infinity: they become null.
// Bytes of a string that are not UTF-8 become U+FFFD. The caller keeps the nesting right.
#pragma once

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>

namespace tamis {

class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view key) {
    String(key);
    text_.push_back(':');
    fresh_ = true;
    return *this;
  }
  JsonWriter& String(std::string_view value);
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }
  template <class T>
  JsonWriter& Number(T value) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) return Raw("null");
    }
    char buffer[48];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
    return Raw({buffer, static_cast<size_t>(end - buffer)});
  }
  void Reserve(size_t bytes) { text_.reserve(text_.size() + bytes); }
  std::string Take() { return std::move(text_); }

 private:
  void Separate() {
    if (!fresh_) text_.push_back(',');
    fresh_ = false;
  }
  JsonWriter& Open(char bracket) {
    Separate();
    text_.push_back(bracket);
    fresh_ = true;
    return *this;
  }
  JsonWriter& Close(char bracket) {
    text_.push_back(bracket);
    fresh_ = false;
    return *this;
  }
  JsonWriter& Raw(std::string_view value) {
    Separate();
    text_.append(value);
    return *this;
  }

  std::string text_;
  bool fresh_ = true;  // nothing stands before the next element
};

}  // namespace tamis
