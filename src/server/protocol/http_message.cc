#include "src/server/protocol/http_message.h"

#include <algorithm>

#include "src/base/json_writer.h"

namespace tamis {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool PercentDecode(std::string_view text, std::string* decoded) {
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    decoded->push_back(c);
  }
  return true;
}

}  // namespace

const std::string* FindHeader(const HttpHeaders& headers, std::string_view name) {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
    return std::equal(header.first.begin(), header.first.end(), name.begin(), name.end(),
                      [](char a, char b) { return Lower(a) == Lower(b); });
  });
  return found == headers.end() ? nullptr : &found->second;
}

HttpResponse JsonResponse(std::string body) {
  HttpResponse response;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = std::move(body);
  return response;
}

HttpResponse NotAllowed(const char* allowed) {
  HttpResponse response = ErrorResponse(405, std::string("this path answers ") + allowed + " only");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

bool IsGet(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

int HttpStatus(const Status& status) {
  return status.kind() == ErrorKind::kUser ? 400 : 500;
}

HttpResponse ErrorResponse(int status, std::string_view message) {
  JsonWriter json;
  json.BeginObject().Key("error").String(message).EndObject();
  HttpResponse response = JsonResponse(json.Take());
  response.status = status;
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

bool SplitTarget(std::string_view target, std::vector<std::string>* segments) {
  segments->clear();
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.empty() || path[0] != '/') return false;
  for (size_t begin = 1; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) {
      if (segments->size() == 16) return false;  // no route has as many
      if (!PercentDecode(path.substr(begin, end - begin), &segments->emplace_back())) return false;
    }
    begin = end + 1;
  }
  return true;
}

}  // namespace tamis
