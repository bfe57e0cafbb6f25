#include "src/grpc/grpc_inference.h"

#include <boost/asio/post.hpp>
#include <optional>

#include "src/grpc/find_model.h"
#include "src/grpc/grpc_request.h"
#include "src/grpc/grpc_status.h"

namespace tamis {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

namespace {

constexpr size_t kCallBytes = 16 << 10;  // of the library's own, about, for a call and its stream

// HTTP's codes label the metrics whichever protocol a request came by.
int HttpCode(const grpc::Status& status) {
  switch (status.error_code()) {
    case StatusCode::OK:
      return 200;
    case StatusCode::INVALID_ARGUMENT:
      return 400;
    case StatusCode::CANCELLED:
    case StatusCode::DEADLINE_EXCEEDED:
      return 499;  // as others write "the client has gone"
    case StatusCode::UNAVAILABLE:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

// A place among the calls until there is an answer, and among their bytes until that is sent.
class GrpcInference::Held {
 public:
  Held(GrpcInference* owner, size_t bytes)
      : owner_(*owner),
        place_(std::in_place, &owner->calls_),
        bytes_(bytes + kCallBytes),
        total_(owner->buffered_bytes_.fetch_add(bytes_) + bytes_) {}
  ~Held() { owner_.buffered_bytes_ -= bytes_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  std::chrono::steady_clock::time_point since() const { return since_; }
  bool got() const { return place_->got() && total_ <= owner_.options_.max_buffered_bytes; }
  // There is an answer of so many bytes. It is too late to refuse it: others will be.
  void Answered(size_t bytes) {
    place_.reset();
    bytes_ += bytes;
    owner_.buffered_bytes_ += bytes;
  }

 private:
  GrpcInference& owner_;
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::optional<Admission::Place> place_;
  size_t bytes_;
  const size_t total_;
};

class GrpcInference::InferCall final : public grpc::ServerUnaryReactor {
 public:
  InferCall(GrpcInference* owner, grpc::CallbackServerContext* context, const ModelInferRequest* request,
            ModelInferResponse* response)
      : owner_(*owner), held_(owner, request->ByteSizeLong()) {
    if (!held_.got()) {
      Finish(owner_.Compute(*context, held_, *request, response));
      return;
    }
    owner_.Post([this, context, request, response] {
      const grpc::Status status = owner_.Compute(*context, held_, *request, response);
      held_.Answered(response->ByteSizeLong());
      sending_ = owner_.watch_.Begin(*context);
      Finish(status);
    });
  }

 private:
  void OnDone() override {
    if (sending_) owner_.watch_.End(*sending_);
    delete this;
  }

  GrpcInference& owner_;
  Held held_;
  std::optional<SendWatch::Entry> sending_;
};

// Reads a request, answers it, reads the next.
class GrpcInference::StreamCall final : public grpc::ServerBidiReactor<ModelInferRequest, ModelStreamInferResponse> {
 public:
  StreamCall(GrpcInference* owner, grpc::CallbackServerContext* context)
      : owner_(*owner), context_(*context), place_(&owner->streams_) {
    if (place_.got()) {
      StartRead(&request_);
    } else {
      Finish({StatusCode::RESOURCE_EXHAUSTED, "the server holds as many streams as it may"});
    }
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);  // the client sends no more, or is gone
    response_.Clear();
    held_.emplace(&owner_, request_.ByteSizeLong());
    const auto answer = [this] {
      Answer(owner_.Compute(context_, *held_, request_, response_.mutable_infer_response()));
    };
    held_->got() ? owner_.Post(answer) : answer();
  }

  void Answer(const grpc::Status& status) {
    if (!status.ok()) {
      response_.mutable_infer_response()->Clear();
      response_.mutable_infer_response()->set_id(request_.id());  // tells the client whose answer it is
      response_.set_error_message(status.error_message());
    }
    held_->Answered(response_.ByteSizeLong());
    sending_ = owner_.watch_.Begin(context_);
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    owner_.watch_.End(sending_);
    held_.reset();
    if (!ok) return Finish({StatusCode::CANCELLED, "the answer was not taken"});
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

  GrpcInference& owner_;
  grpc::CallbackServerContext& context_;
  const Admission::Place place_;
  ModelInferRequest request_;
  ModelStreamInferResponse response_;
  std::optional<Held> held_;  // of the request that is answered
  SendWatch::Entry sending_;
};

GrpcInference::GrpcInference(Server* server, const GrpcInferenceOptions& options)
    : server_(*server),
      options_(options),
      calls_(options.max_calls),
      streams_(options.max_streams),
      watch_(options.send_timeout),
      workers_(static_cast<size_t>(options.workers)) {}

grpc::ServerUnaryReactor* GrpcInference::Infer(grpc::CallbackServerContext* context, const ModelInferRequest* request,
                                               ModelInferResponse* response) {
  return new InferCall(this, context, request, response);
}

grpc::ServerBidiReactor<ModelInferRequest, ModelStreamInferResponse>* GrpcInference::Stream(
    grpc::CallbackServerContext* context) {
  return new StreamCall(this, context);
}

void GrpcInference::Post(std::function<void()> work) {
  boost::asio::post(workers_, std::move(work));
}

grpc::Status GrpcInference::Compute(const grpc::CallbackServerContext& context, const Held& held,
                                    const ModelInferRequest& request, ModelInferResponse* response) {
  ModelVersionPtr model;
  if (auto status = FindModel(server_.repository(), request.model_name(), request.model_version(), true, &model);
      !status.ok()) {
    return status;
  }
  InferenceRecord record(&server_.metrics(), *model, held.since());
  record.outcome.request_bytes = request.ByteSizeLong();
  const auto answer = [&]() -> grpc::Status {
    const Admission::Place place(&server_.admission());
    if (!held.got() || !place.got()) return {StatusCode::UNAVAILABLE, kTooBusy};
    // Nobody waits for the answer any more: a deadline has passed, or the client has gone.
    if (context.IsCancelled()) return {StatusCode::CANCELLED, "the request was given up"};
    const auto start = std::chrono::steady_clock::now();
    const auto parsed = ParseGrpcRequest(request, *model->session, server_.shared_memory());
    record.outcome.read_seconds = SecondsSince(start);
    if (!parsed.ok()) return ToGrpc(parsed.status());
    if (const auto late = TooLate(*parsed, record.outcome)) return {StatusCode::UNAVAILABLE, *late};
    const auto outputs = ComputeInference(*model, *parsed, &record.outcome);
    if (!outputs.ok()) return ToGrpc(outputs.status());
    const auto write_start = std::chrono::steady_clock::now();
    const Status made = MakeGrpcResponse(*parsed, *outputs, model->model, model->version, response);
    record.outcome.write_seconds = SecondsSince(write_start);
    return ToGrpc(made);
  };
  const grpc::Status status = Guarded(answer);
  record.outcome.code = HttpCode(status);
  record.outcome.response_bytes = response->ByteSizeLong();
  return status;
}

}  // namespace tamis
