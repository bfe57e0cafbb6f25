// Calls that no service here has, answered with the reason.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <string>
#include <string_view>

#include "src/server/protocol/http_handler.h"

namespace tamis {

class UnknownCalls final : public grpc::CallbackGenericService {
 private:
  class Refusal final : public grpc::ServerGenericBidiReactor {
   public:
    explicit Refusal(const std::string& why) { Finish({grpc::StatusCode::UNIMPLEMENTED, why}); }

   private:
    void OnDone() override { delete this; }
  };

  static std::string Why(std::string_view method) {
    if (method.ends_with("/TraceSetting")) return kNoTraces;
    if (method.ends_with("/LogSettings")) return kNoLogSettings;
    return "this server has no call " + std::string(method.substr(0, 128));
  }

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Refusal(Why(context->method()));
  }
};

}  // namespace tamis
