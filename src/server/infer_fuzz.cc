// Fuzz target: an inference request. The first two bytes choose where the JSON ends, and whether the header says so.
#include <string_view>

#include "src/server/fake_session.h"
#include "src/server/protocol/infer_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto session = tamis::testing::MakeFakeSession();
  if (size < 2) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t split = data[0] | (data[1] & 0x7f) << 8;
  const std::string length = std::to_string(split);
  std::optional<std::string_view> header;
  if (data[1] & 0x80) header = length;
  const auto request = tamis::ParseInferRequest(body, header, *session);
  if (!request.ok()) return 0;
  const auto outputs = session->Run(request->inputs);
  if (outputs.ok()) (void)tamis::MakeInferResponse(*request, *outputs, "m", "1");
  return 0;
}
