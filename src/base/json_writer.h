// Writes JSON (RFC 8259) into a string.
//
// Numbers are the shortest text that reads back as the same value. JSON has no NaN and no infinity: they become null.
// Bytes of a string that are not UTF-8 become U+FFFD. The caller keeps the nesting right.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

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
  JsonWriter& Null() { return Raw("null"); }
  template <class T>
  JsonWriter& Number(T value) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) return Raw("null");
    }
    char buffer[48];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
    return Raw({buffer, static_cast<size_t>(end - buffer)});
  }
  // String, Bool or Number by the type of the value; a vector becomes an array.
  template <class T>
  JsonWriter& Value(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      return Bool(value);
    } else if constexpr (std::is_arithmetic_v<T>) {
      return Number(value);
    } else {
      return String(value);
    }
  }
  JsonWriter& Value(const std::vector<int64_t>& numbers) {
    BeginArray();
    for (const int64_t number : numbers) Number(number);
    return EndArray();
  }
  JsonWriter& Value(const std::vector<std::string>& texts) {
    BeginArray();
    for (const std::string& text : texts) String(text);
    return EndArray();
  }
  template <class T>
  JsonWriter& Field(std::string_view key, const T& value) {
    Key(key);
    return Value(value);
  }
  void Reserve(size_t bytes) { text_.reserve(text_.size() + bytes); }
  const std::string& text() const { return text_; }
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

// `text` as a JSON string with quotes.
std::string JsonQuote(std::string_view text);

}  // namespace tamis
