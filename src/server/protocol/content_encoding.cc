#include "src/server/protocol/content_encoding.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

namespace tamis {
namespace {

enum class Format { kGzip, kZlib, kRawDeflate };

Result<std::string> Inflate(Format format, std::string_view body, size_t max_bytes, bool* too_large) {
  z_stream stream{};
  const int bits = format == Format::kGzip ? 16 + MAX_WBITS : format == Format::kZlib ? MAX_WBITS : -MAX_WBITS;
  if (inflateInit2(&stream, bits) != Z_OK) return RuntimeError("no memory to inflate the body");
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};
  std::string out;
  std::vector<char> block(64 * 1024);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(std::min<size_t>(body.size(), UINT32_MAX));
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    const int code = inflate(&stream, Z_NO_FLUSH);
    const size_t produced = block.size() - stream.avail_out;
    if (produced > max_bytes - out.size()) {
      *too_large = true;
      return UserError("the decompressed body is larger than the limit of {} bytes", max_bytes);
    }
    out.append(block.data(), produced);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return out;
      if (format != Format::kGzip || inflateReset(&stream) != Z_OK) break;
    } else if (code != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      break;
    }
  }
  return UserError("the body is not valid {} data", format == Format::kGzip ? "gzip" : "deflate");
}

}  // namespace

bool KnownContentEncoding(std::string_view encoding) {
  return encoding.empty() || encoding == "identity" || encoding == "gzip" || encoding == "x-gzip" ||
         encoding == "deflate";
}

Result<std::string> DecodeContent(std::string_view encoding, std::string_view body, size_t max_bytes, bool* too_large) {
  *too_large = false;
  if (body.size() > UINT32_MAX) {
    *too_large = true;
    return UserError("the compressed body is larger than 4 GiB");
  }
  if (encoding == "gzip" || encoding == "x-gzip") return Inflate(Format::kGzip, body, max_bytes, too_large);
  if (encoding == "deflate") {
    // RFC 9110 means zlib by it; some clients send a bare deflate stream. A zlib stream starts with a header whose two
    // bytes are a multiple of 31.
    const bool zlib = body.size() >= 2 && (body[0] & 0x0f) == 8 &&
                      (static_cast<unsigned char>(body[0]) * 256 + static_cast<unsigned char>(body[1])) % 31 == 0;
    return Inflate(zlib ? Format::kZlib : Format::kRawDeflate, body, max_bytes, too_large);
  }
  if (KnownContentEncoding(encoding)) return std::string(body);
  return UserError("Content-Encoding '{}' is not supported; use gzip, deflate or none", encoding);
}

}  // namespace tamis
