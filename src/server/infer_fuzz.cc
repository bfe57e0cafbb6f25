// Fuzz target: an inference request. The first two bytes choose where the JSON ends, and whether the header says so.
#include <string_view>

#include "src/server/fake_session.h"
#include "src/server/protocol/infer_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Of two inputs, and of one, which a raw request may be for.
  static const std::shared_ptr<tamis::Session> sessions[] = {
      tamis::testing::MakeFakeSession(), std::make_shared<tamis::testing::FakeSession>(std::vector<tamis::TensorSpec>{
                                             {"x", tamis::DType::kFloat16, {-1, -1, 3}, {"n", "m", ""}}})};
  if (size < 2) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t split = data[0] | (data[1] & 0x7f) << 8;
  const std::string length = std::to_string(split);
  std::optional<std::string_view> header;
  if (data[1] & 0x80) header = length;
  for (const auto& session : sessions) {
    const auto request = tamis::ParseInferRequest(body, header, *session);
    if (!request.ok()) continue;
    const auto outputs = session->Run(request->inputs);
    if (outputs.ok()) (void)tamis::MakeInferResponse(*request, *outputs, "m", "1");
  }
  return 0;
}
